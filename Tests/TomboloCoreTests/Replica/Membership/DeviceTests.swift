import Testing
import TomboloCore
import TomboloCrypto

/// Several devices of one member, tested between engines.
@Suite("Devices of one member") struct DeviceTests {
    /// Creates a group. The phone and the laptop are the owner's and have sent a message each. The friend's device is
    /// another member's; the spare one has joined nothing.
    private func makeCluster(_ policy: Policy = .private, seed: UInt64) throws -> Cluster {
        let cluster = try Cluster(strangers: "phone", "laptop", "friend", "spare", seed: seed)
        cluster.group = try #require(try cluster["phone"].createGroup(policy))
        try cluster.join("friend", by: "phone")
        try cluster.link("laptop", to: "phone")
        try cluster.open(on: "laptop", from: "phone")
        try cluster["phone"].send("from the phone")
        try cluster.meet("phone", "laptop", "friend")
        try cluster["laptop"].send("from the laptop")
        try cluster.meet("phone", "laptop", "friend")
        return cluster
    }

    @Test("a linked device is the same member: it reads the history and writes with the member's role")
    func linked() throws {
        let cluster = try makeCluster(seed: 1)
        #expect(cluster["phone"].member == cluster["laptop"].member && cluster["phone"].key != cluster["laptop"].key)
        for device in cluster["phone", "laptop", "friend"] {
            #expect(device.spoken == ["from the phone", "from the laptop"])
            #expect(device.errors.isEmpty)
        }
        #expect(cluster["friend"].role(of: "laptop") == .owner)
        #expect(try cluster["laptop"].setRole(of: "friend", to: .admin) == nil)
        try cluster.meet("phone", "laptop", "friend")
        #expect(cluster["phone"].role(of: "friend") == .admin)
        // After a restart it is still the same member.
        try cluster["laptop"].restart(seed: 9)
        #expect(cluster["phone"].member == cluster["laptop"].member)
        #expect(cluster["phone"].engine.ownGroup == cluster["laptop"].engine.ownGroup)
    }

    @Test(
        "a link works once; a device with groups of its own is not linked, and a removed device links nobody"
    )
    func refusedLinks() throws {
        let cluster = try makeCluster(seed: 2)
        try cluster.link("friend", to: "phone")
        #expect(cluster["friend"].member != cluster["phone"].member)
        #expect(cluster["friend"].errors.contains { $0.contains("groups of its own") })
        // Another device uses the same link.
        try cluster.sync("spare", "phone", invitation: cluster["phone"].invitation)
        #expect(cluster["spare"].errors.contains { $0.contains("as many devices as it admits") })
        let own = try #require(cluster["phone"].ownGroup)
        let why = try cluster["phone"].invite(expiring: 9, in: own)
        #expect(why?.description.contains("link one instead") == true)
        // A removed device admits nobody.
        try cluster["phone"].removeDevice("laptop")
        try cluster.meet("phone", "laptop")
        #expect(try cluster["laptop"].request(.linkDevice(6, addresses: [], expiry: cluster.now + 9)) != nil)
        #expect(cluster["phone"].spoken.count == 2)
    }

    @Test("events of a lost device stay if its remover knew them; others are withdrawn or never shown")
    func lost() throws {
        let cluster = try makeCluster(seed: 3)
        // The thief continues in the laptop's name and promotes a friend.
        try cluster["laptop"].send("known to the other member alone")
        try cluster.sync("laptop", "friend")
        #expect(cluster["friend"].spoken.contains("known to the other member alone"))
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        try cluster["laptop"].setRole(of: "friend", to: .admin)
        try cluster["laptop"].send("late")
        try cluster.sync("laptop", "friend")
        try cluster.meet("phone", "friend")
        for device in cluster["phone", "friend"] {
            #expect(device.spoken == ["from the phone", "from the laptop"])
            #expect(device.role(of: "friend") == .member)
            #expect(device.hasAgreed)
        }
        #expect(cluster["friend"].changes(.withdrawn) > 0)
        // The member itself continues to write.
        try cluster["phone"].send("only the phone hears me")
        try cluster.meet("phone", "friend")
        #expect(cluster["friend"].spoken.last == "only the phone hears me")
        // The lost device learns of it, writes nothing more, and cannot read new messages.
        try cluster.meet("phone", "laptop", "friend")
        #expect(try cluster["laptop"].append([1]) == nil)
        #expect(!cluster["laptop"].spoken.contains("only the phone hears me"))
        let texts = cluster["laptop"].events.compactMap { cluster["laptop"].text(of: $0.event) }
        #expect(!texts.contains("only the phone hears me") && texts.contains("from the phone"))
    }

    @Test(
        "events of a lost device's modified client that name older state are delivered nowhere",
        arguments: [Policy.open, .private])
    func modified(policy: Policy) throws {
        let cluster = try makeCluster(policy, seed: 4)
        let copy = cluster["laptop"].backup()
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        try cluster.meet("phone", "laptop", "friend")
        try cluster["laptop"].restart(seed: 77, from: copy)
        try cluster["laptop"].send("still here")
        try cluster["laptop"].set("title", to: "mine")
        try cluster.sync("laptop", "friend")
        try cluster.meet("phone", "friend")
        for device in cluster["phone", "friend"] {
            #expect(!device.spoken.contains("still here"))
            let settings = device.events(in: cluster.group).filter { $0.event.header.kind == .setting }
            #expect(settings.count == 1 && settings.allSatisfy { $0.status == .heldBack })
        }
    }

    @Test("the first device is removed like any other; devices that it admitted before remain, later ones do not")
    func firstDevice() throws {
        let cluster = try makeCluster(seed: 5)
        let before = cluster["phone"].backup()
        #expect(try cluster["laptop"].removeDevice("phone") == nil)
        // The thief hides the removal from the phone and links a device of its own.
        try cluster["phone"].restart(seed: 78, from: before)
        try cluster.link("spare", to: "phone")
        #expect(cluster["spare"].member == cluster["phone"].member)
        try cluster.open(on: "spare", from: "phone")
        try cluster.sync("phone", "spare")
        try cluster["spare"].send("let me in")
        try cluster.sync("spare", "friend")
        for _ in 0..<2 { try cluster.meet("laptop", "friend") }
        for device in cluster["laptop", "friend"] {
            #expect(device.spoken == ["from the phone", "from the laptop"], "\(device)")
        }
        try cluster["laptop"].send("it was stolen")
        try cluster.meet("laptop", "friend")
        #expect(cluster["friend"].spoken.last == "it was stolen")
    }

    @Test("a removal takes effect in every group: the member's devices post it, and so can anyone that has it")
    func elsewhere() throws {
        let cluster = try makeCluster(seed: 6)
        // The phone has never been in this group.
        let other = try #require(try cluster["friend"].createGroup(name: "other"))
        try cluster.open(other, on: "laptop", from: "friend")
        try cluster["laptop"].send("hello", in: other)
        try cluster.meet("laptop", "friend")
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        let removal = try #require(cluster["phone"].removals.last)
        try cluster["laptop"].send("late", in: other)
        try cluster.meet("laptop", "friend")
        #expect(cluster["friend"].spoken(in: other) == ["hello", "late"])
        // The phone could not name the events of a group that it does not know: the member that posts the removal does.
        #expect(try cluster["friend"].request(.post(4, removal, group: other)) == nil)
        try cluster["laptop"].send("later", in: other)
        try cluster.meet("laptop", "friend")
        #expect(cluster["friend"].spoken(in: other) == ["hello", "late"])
        // A device of the same member that comes later posts the removal by itself.
        let again = try makeCluster(seed: 7)
        let third = try #require(try again["friend"].createGroup(name: "other"))
        for device in ["phone", "laptop"] { try again.open(third, on: device, from: "friend") }
        try again["laptop"].send("hello", in: third)
        try again.meet("phone", "laptop", "friend")
        #expect(try again["phone"].removeDevice("laptop") == nil)
        try again["laptop"].send("late", in: third)
        try again.sync("laptop", "friend")
        try again.meet("phone", "friend")
        #expect(again["friend"].spoken(in: third) == ["hello"] && again["friend"].spoken.count == 2)
        #expect(cluster["phone"].spoken.count == 2)
    }

    @Test("a device that was admitted and never wrote is known, removable, and receives no secrets anywhere")
    func silent() throws {
        let cluster = try makeCluster(seed: 9)
        try cluster.link("spare", to: "phone")
        try cluster.open(on: "spare", from: "phone")
        // The device has written nothing. A thief continues with the admission that it received.
        #expect(try cluster["phone"].removeDevice("spare") == nil)
        try cluster["phone"].send("not for the thief")
        try cluster.meet("phone", "laptop", "friend")
        for other in cluster["phone", "laptop", "friend"] {
            try cluster.sync("spare", other)
            try cluster.sync("spare", other)
        }
        #expect(!cluster["spare"].spoken.contains("not for the thief"))
        let texts = cluster["spare"].events.compactMap { cluster["spare"].text(of: $0.event) }
        #expect(!texts.contains("not for the thief"))
    }

    @Test("an informed member does not post a removal that a removed device signed, and no log suffers from it")
    func signedByRemoved() throws {
        let cluster = try makeCluster(seed: 10)
        let copy = cluster["laptop"].backup()
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        try cluster.meet("phone", "friend")
        try cluster["laptop"].restart(seed: 79, from: copy)
        #expect(try cluster["laptop"].removeDevice("phone") == nil)
        let stolen = try #require(cluster["laptop"].removals.last)
        let refusal = try cluster["friend"].request(.post(4, stolen, group: cluster.group))
        #expect(refusal?.description.contains("was removed itself") == true)
        try cluster["friend"].send("I can still write")
        try cluster["friend"].set("mood", to: [1])
        try cluster.meet("phone", "friend")
        #expect(cluster["phone"].spoken.last == "I can still write")
    }

    @Test("a stolen device that removes the others does not undo the events that it had built upon")
    func spite() throws {
        let cluster = try makeCluster(seed: 11)
        let copy = cluster["laptop"].backup()
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        try cluster.meet("phone", "friend")
        // The thief's client posts a removal that keeps nothing, in a log that knows nothing.
        try cluster["laptop"].restart(seed: 80, from: copy)
        #expect(try cluster["laptop"].removeDevice("phone") == nil)
        try cluster.sync("laptop", "friend")
        try cluster.meet("phone", "friend")
        for device in cluster["phone", "friend"] {
            #expect(device.role(of: "friend") == .member)
            #expect(device.spoken == ["from the phone", "from the laptop"])
        }
        // Neither of the two devices is heard any more. Other members continue.
        #expect(try cluster["phone"].append([1]) == nil)
        try cluster["friend"].send("what is going on?")
        try cluster.meet("phone", "friend")
        #expect(cluster["friend"].spoken.last == "what is going on?")
    }

    @Test("a broadcast of a removed device is ignored")
    func broadcast() throws {
        let cluster = try makeCluster(.open, seed: 12)
        let copy = cluster["laptop"].backup()
        try cluster.connect("laptop", "friend")
        try cluster.settle()
        try cluster["laptop"].broadcast([1])
        try cluster.settle()
        #expect(cluster["friend"].heard.count == 1)
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        try cluster.sync("phone", "friend")
        try cluster["laptop"].restart(seed: 81, from: copy)
        cluster.advance(by: 10)
        let session = try cluster.connect("laptop", "friend")
        // The laptop drops every event that would inform it of its removal.
        cluster.rewriteGroups(to: "laptop") { $0.events = nil }
        try cluster.settle(wakes: 0)
        try cluster["laptop"].broadcast([2])
        try cluster.settle(wakes: 0)
        #expect(cluster["friend"].heard.count == 1)
        try cluster.disconnect(session)
    }

    @Test("a thief that forks the log of a lost device does not destroy the keys of kept events")
    func forkedKeys() throws {
        let cluster = try makeCluster(seed: 13)
        let copy = cluster["laptop"].backup()
        try cluster["laptop"].send("kept")
        try cluster.meet("phone", "laptop", "friend")
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        try cluster.meet("phone", "friend")
        // The fork is at the same place of the log, and expires before it arrives.
        try cluster["laptop"].restart(seed: 82, from: copy)
        try cluster["laptop"].append([7], expiry: cluster.now + 5)
        cluster.advance(by: 10)
        try cluster["laptop"].wake()
        try cluster.sync("laptop", "friend")
        try cluster.meet("phone", "friend")
        for device in cluster["phone", "friend"] {
            #expect(device.spoken == ["from the phone", "from the laptop", "kept"])
        }
    }

    @Test("each chain of admissions gives a log of its own")
    func chains() throws {
        let cryptography = SwiftCryptography()
        let keys = (1...3).map { cryptography.signingKey(seed: Bytes32([UInt8](repeating: $0, count: 32)) ?? .zero) }
        let devices = keys.map { DeviceKey(cryptography.publicKey(of: $0)) }
        let member = MemberKey(cryptography.publicKey(of: keys[2]))
        func certificate(by first: Int) -> Certificate {
            let signature = cryptography.sign(
                DeviceAdmission.statement(member: member, device: devices[first]), with: keys[2])
            var admission = DeviceAdmission(of: devices[first], signature: signature)
            if first != 1 {
                let statement = DeviceAdmission.statement(member: member, device: devices[1])
                admission = admission.admitting(devices[1], signature: cryptography.sign(statement, with: keys[first]))
            }
            return Certificate(
                ofLogWithKey: keys[0], in: GroupID(.zero), member: member, admission: admission, signedBy: keys[1],
                using: cryptography)
        }
        let both = [certificate(by: 0), certificate(by: 1)]
        let group = GroupID(.zero)
        #expect(both[0].device == both[1].device && both.allSatisfy { $0.isValid(in: group, using: cryptography) })
        #expect(both[0].logID(in: group, using: cryptography) != both[1].logID(in: group, using: cryptography))
        #expect(try Certificate(decoding: both[0].encoded[...]) == both[0])
    }

    @Test("a removal that no device of the member signed has no effect")
    func forged() throws {
        let cluster = try makeCluster(seed: 8)
        let cryptography = SwiftCryptography()
        let stranger = cryptography.signingKey(seed: .zero)
        let device = DeviceKey(cryptography.publicKey(of: stranger))
        let statement = DeviceAdmission.statement(member: cluster["phone"].member, device: device)
        let admission = DeviceAdmission(of: device, signature: cryptography.sign(statement, with: stranger))
        let forged = DeviceRemoval(
            of: cluster["laptop"].key, of: cluster["phone"].member, remaining: [], kept: [], by: admission,
            signedBy: stranger, using: cryptography)
        #expect(!forged.isValid(using: cryptography))
        let refusal = try cluster["friend"].request(.post(4, forged, group: cluster.group))
        #expect(refusal?.description.contains("does not verify") == true)
        // A valid removal in which the removed device's key is replaced by another key.
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        var bytes = try #require(cluster["phone"].removals.last).encoded
        bytes.replaceSubrange(32..<64, with: cluster["phone"].key.bytes)
        #expect(!(try DeviceRemoval(decoding: bytes[...])).isValid(using: cryptography))
    }

    @Test("a signed removal works whoever posts it, and a forged one never does")
    func posted() throws {
        let cluster = try makeCluster(.open, seed: 14)
        let cryptography = SwiftCryptography()
        #expect(try cluster["phone"].removeDevice("laptop") == nil)
        let signed = try #require(cluster["phone"].removals.last)
        // Only the poster's own client checks a removal before it is posted, and a stranger's client does not.
        let thief = DeviceRemoval(
            of: cluster["phone"].key, of: cluster["phone"].member, remaining: [], kept: [], by: signed.signer,
            signedBy: cryptography.signingKey(seed: .zero), using: cryptography)
        for (seed, removal) in [thief, signed].enumerated() {
            var log = cluster.foreignLog(seed: UInt64(seed + 20), isStateLog: true)
            let event = log.event(.deviceRemoval, StateAction.removeDevice(removal, kept: []).encoded)
            try cluster["friend"].ingest([event])
            let status = cluster["friend"].events(in: cluster.group).first { $0.event.id == event.id }?.status
            #expect(status == (seed == 0 ? .invalid : .delivered))
        }
        try cluster["laptop"].send("late")
        try cluster.sync("laptop", "friend")
        #expect(cluster["friend"].spoken == ["from the phone", "from the laptop"])
        try cluster["phone"].send("I am still here")
        try cluster.sync("phone", "friend")
        #expect(cluster["friend"].spoken.last == "I am still here")
    }

    @Test("removals and admissions at their bounds, and arbitrary bytes")
    func coding() throws {
        let cryptography = SwiftCryptography()
        let key = cryptography.signingKey(seed: .zero)
        var generator = SeededGenerator(seed: 12)
        func device() -> DeviceKey {
            DeviceKey(Bytes32((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }) ?? .zero)
        }
        let signature = [UInt8](repeating: 3, count: 64)
        var admission = DeviceAdmission(of: device(), signature: signature)
        while admission.devices.count < Limits.admissions {
            admission = admission.admitting(device(), signature: signature)
        }
        #expect(try DeviceAdmission(decoding: admission.encoded[...], of: admission.device) == admission)
        let deeper = admission.admitting(device(), signature: signature)
        #expect(throws: WireError.self) { try DeviceAdmission(decoding: deeper.encoded[...], of: deeper.device) }
        let twice = admission.admitting(admission.devices[0], signature: signature)
        #expect(throws: WireError.self) { try DeviceAdmission(decoding: twice.encoded[...], of: twice.device) }
        func removal(_ remaining: Int, _ kept: Int) -> [UInt8] {
            DeviceRemoval(
                of: device(), of: MemberKey(.zero), remaining: (0..<remaining).map { _ in device() }.sorted(),
                kept: (0..<kept).map { LogPosition(log: LogID(.zero), sequence: UInt64($0), id: EventID(.zero)) },
                by: admission, signedBy: key, using: cryptography
            ).encoded
        }
        let largest = removal(Limits.remainingDevices, Limits.keptLogs)
        #expect(largest.count <= Limits.content)
        #expect(try DeviceRemoval(decoding: largest[...]).encoded == largest)
        for bytes in [removal(Limits.remainingDevices + 1, 0), removal(0, Limits.keptLogs + 1)] {
            #expect(throws: WireError.self) { try DeviceRemoval(decoding: bytes[...]) }
        }
        let valid = removal(2, 3)
        for _ in 0..<5_000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                }
            }
            guard let decoded = try? DeviceRemoval(decoding: bytes[...]) else { continue }
            #expect(decoded.encoded == bytes)
        }
    }
}

extension Cluster {
    /// Lets each pair of some devices meet three times.
    fileprivate func meet(_ names: String...) throws { try syncAll(names.map { self[$0] }, rounds: 3) }
}

extension Cluster.Device {
    /// The texts that the device shows, in the order of Lamport time.
    fileprivate var spoken: [String] { spoken(in: cluster.group) }

    fileprivate func spoken(in group: GroupID) -> [String] {
        events(in: group).filter { $0.status == .delivered && $0.event.kind == .message }
            .sorted { $0.event.lamport < $1.event.lamport }
            .map { cluster.devices.text(of: $0.event, on: index, in: group) ?? "" }
    }

    /// The removals that the device has signed.
    fileprivate var removals: [DeviceRemoval] {
        effects.compactMap { if case .removed(_, let removal) = $0 { removal } else { nil } }
    }
}
