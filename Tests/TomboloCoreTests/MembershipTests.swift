import Testing
import TomboloCore
import TomboloCrypto

/// Rights in a group, tested between engines. Each test would fail if one of the checks were removed.
struct MembershipTests {
    private enum What: Equatable { case delivered(String), withdrawn(String), restored(String), erased }

    private func changes(_ device: Int, _ devices: Devices, _ group: GroupID) -> [What] {
        devices.devices[device].store.changes(in: group).compactMap { change in
            guard change.event.event.header.kind == .message else { return nil }
            let text = devices.text(of: change.event.event, on: device, in: group) ?? ""
            switch change.kind {
            case .delivered: return .delivered(text)
            case .withdrawn: return .withdrawn(text)
            case .restored: return .restored(text)
            case .erased, .forgotten: return .erased
            }
        }
    }

    /// Creates a group of a policy, owned by the first device's member. The others are admitted with a role, or follow.
    private func makeGroup(_ devices: Devices, _ policy: Policy, as role: Role = .member) throws -> GroupID {
        let group = try devices.makeGroup(policy) { _ in role }
        for index in devices.devices.indices.dropFirst() { try devices.meet(index, 0) }
        return group
    }

    private func member(_ device: Int, _ devices: Devices) -> MemberKey { devices.devices[device].engine.member }

    /// - Returns: the reason of the refusal; nil if the act was accepted.
    @discardableResult
    private func setRole(_ device: Int, of other: Int, to role: Role, _ devices: Devices, _ group: GroupID) throws
        -> String?
    {
        let before = devices.devices[device].effects.count
        try devices.step(device, [.setRole(7, group: group, of: member(other, devices), to: role)])
        for case .failed(_, let error) in devices.devices[device].effects[before...] { return error.description }
        return nil
    }

    private func roles(_ device: Int, _ devices: Devices, _ group: GroupID) -> [Role] {
        devices.devices.indices.map { devices.devices[device].engine.role(of: member($0, devices), in: group) ?? .none }
    }

    private func meetAll(_ devices: Devices) throws {
        for _ in 0..<2 {
            for one in devices.devices.indices {
                for other in devices.devices.indices where other > one { try devices.meet(one, other) }
            }
        }
    }

    @Test func onlyMembersWrite() throws {
        let devices = try Devices(3, seed: 1)
        let group = try makeGroup(devices, .private)
        #expect(roles(1, devices, group) == [.owner, .member, .member])
        try devices.say(1, "hello", in: group)
        try meetAll(devices)
        #expect(devices.texts(2, in: group).contains("hello"))
        // A stranger has the group's secret and no role. Its client writes all the same.
        var stranger = ForeignLog(group: group, seed: 9)
        try devices.ingest([stranger.event(after: nil, "I was here")], into: 0, group: group)
        try meetAll(devices)
        for device in 0..<3 { #expect(!devices.texts(device, in: group).contains("I was here")) }
        #expect(devices.errors(1).isEmpty && devices.errors(2).isEmpty)
    }

    @Test func readersOfAFeedDoNotWrite() throws {
        let devices = try Devices(2, seed: 2)
        let group = try makeGroup(devices, .feed, as: .reader)
        try devices.say(1, "me too", in: group)
        #expect(devices.devices[1].effects.contains { if case .failed(_, .notAllowed) = $0 { true } else { false } })
        try devices.say(0, "news", in: group)
        try meetAll(devices)
        #expect(devices.texts(1, in: group) == ["news"])
        #expect(try setRole(0, of: 1, to: .member, devices, group) == nil)
        try meetAll(devices)
        try devices.say(1, "a guest's column", in: group)
        try meetAll(devices)
        #expect(changes(0, devices, group) == [.delivered("news"), .delivered("a guest's column")])
    }

    @Test func whatARemovedMemberSaysWithoutKnowingIsHeldBackEverywhere() throws {
        let devices = try Devices(4, seed: 3)
        let group = try makeGroup(devices, .private)
        try devices.say(1, "before", in: group)
        try meetAll(devices)
        // The removed member does not know of its removal, and reaches only one of the others.
        #expect(try setRole(0, of: 1, to: .none, devices, group) == nil)
        try devices.say(1, "late", in: group)
        try devices.meet(1, 2)
        #expect(changes(2, devices, group) == [.delivered("before"), .delivered("late")])
        try devices.say(2, "an answer", in: group)
        try devices.meet(0, 3)
        try devices.meet(2, 3)
        #expect(changes(3, devices, group) == [.delivered("before"), .delivered("an answer")])
        try devices.meet(0, 2)
        #expect(changes(2, devices, group).last == .withdrawn("late"))
        // A member that learns of its removal writes nothing more.
        try devices.meet(0, 1)
        try devices.say(1, "too late", in: group)
        #expect(devices.devices[1].effects.contains { if case .failed(_, .notAllowed) = $0 { true } else { false } })
        try meetAll(devices)
        for device in [0, 2, 3] {
            #expect(roles(device, devices, group) == [.owner, .none, .member, .member])
            let shown = changes(device, devices, group)
            #expect(shown.contains(.delivered("before")) && shown.contains(.delivered("an answer")))
            #expect(!shown.contains(.delivered("late")) || shown.contains(.withdrawn("late")))
        }
        // An undo delivers the events that were held back.
        #expect(try setRole(0, of: 1, to: .member, devices, group) == nil)
        try meetAll(devices)
        #expect(changes(3, devices, group).last == .delivered("late"))
        #expect(changes(2, devices, group).last == .restored("late"))
        for device in 0..<4 { #expect(devices.errors(device).isEmpty) }
    }

    /// A modified client continues to write, and names the state from before its removal.
    @Test func aLateBranchOnOldStateIsNotDelivered() throws {
        let devices = try Devices(3, seed: 4)
        let group = try makeGroup(devices, .private)
        try devices.say(1, "mine", in: group)
        try meetAll(devices)
        let copy = MemoryStore(copying: devices.devices[1].store)
        #expect(try setRole(0, of: 1, to: .none, devices, group) == nil)
        try devices.meet(0, 2)
        // The same device continues with its old store.
        devices.devices[1] = try Devices.Device(seed: 77, store: copy)
        try devices.say(1, "still here", in: group)
        try devices.meet(1, 2)
        try devices.meet(1, 0)
        #expect(!devices.texts(2, in: group).contains("still here"))
        #expect(!devices.texts(0, in: group).contains("still here"))
        // The events are held all the same, so nobody stalls.
        #expect(devices.haveAgreed(2))
    }

    @Test func whoRemoveEachOtherEndTheSameEverywhere() throws {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let devices = try Devices(4, seed: 5)
            let group = try makeGroup(devices, .private, as: .admin)
            try meetAll(devices)
            #expect(roles(3, devices, group) == [.owner, .admin, .admin, .admin])
            // The member that was admitted first has seniority and wins. The other one may not remove it.
            #expect(try setRole(1, of: 2, to: .none, devices, group) == nil)
            let why = try setRole(2, of: 1, to: .none, devices, group)
            #expect(why?.contains("before you") ?? false)
            for other in order where other != 3 { try devices.meet(other, 3) }
            try meetAll(devices)
            for device in 0..<4 { #expect(roles(device, devices, group) == [.owner, .admin, .none, .admin]) }
        }
    }

    @Test func whatARemovedAdminDidWithoutKnowingHasNoEffect() throws {
        let devices = try Devices(4, seed: 6)
        let group = try makeGroup(devices, .private, as: .admin)
        try meetAll(devices)
        #expect(try setRole(0, of: 1, to: .none, devices, group) == nil)
        #expect(try setRole(1, of: 3, to: .none, devices, group) == nil)
        try devices.step(1, [.setState(8, group: group, key: "title", value: Array("mine".utf8))])
        try devices.meet(1, 2)
        #expect(roles(2, devices, group) == [.owner, .admin, .admin, .none])
        try meetAll(devices)
        for device in 0..<4 { #expect(roles(device, devices, group) == [.owner, .none, .admin, .admin]) }
        // For device 2, device 3 was removed for a while. Its messages still count.
        try devices.say(3, "still in", in: group)
        try meetAll(devices)
        #expect(devices.texts(2, in: group).contains("still in"))
    }

    @Test func anEngineOpenedAgainKnowsWhoMayDoWhat() throws {
        let devices = try Devices(3, seed: 7)
        let group = try makeGroup(devices, .private)
        #expect(try setRole(0, of: 2, to: .admin, devices, group) == nil)
        #expect(try setRole(0, of: 1, to: .none, devices, group) == nil)
        try meetAll(devices)
        let before = roles(0, devices, group)
        devices.devices[0] = try Devices.Device(seed: 8, store: devices.devices[0].store)
        #expect(roles(0, devices, group) == before)
        #expect(before == [.owner, .none, .admin])
        #expect(try setRole(0, of: 1, to: .reader, devices, group) == nil)
        try meetAll(devices)
        for device in 0..<3 { #expect(roles(device, devices, group) == [.owner, .reader, .admin]) }
    }

    @Test func invitingNeedsTheRight() throws {
        let devices = try Devices(2, seed: 8)
        let group = try makeGroup(devices, .private)
        try devices.step(1, [.invite(3, group: group, addresses: [], expiry: .max)])
        #expect(devices.devices[1].effects.contains { if case .failed(_, .notAllowed) = $0 { true } else { false } })
    }

    @Test func anInvitationAdmitsAsManyAsItSaysUntilItIsRevoked() throws {
        let devices = try Devices(6, seed: 9)
        try devices.step(0, [.createGroup(1, name: "crew", policy: .private)])
        let made = devices.devices[0].effects.compactMap { if case .created(_, let group) = $0 { group } else { nil } }
        let group = try #require(made.last)
        func answer(_ input: EngineInput) throws -> EngineEffect? {
            try devices.step(0, [input])
            return devices.devices[0].effects.last
        }
        for uses in [0, Limits.invitationUses + 1, -1] {
            guard
                case .failed(_, .notAllowed)? = try answer(
                    .invite(3, group: group, addresses: [], expiry: devices.now + 1_000_000, uses: uses))
            else {
                Issue.record("an invitation for \(uses) was made")
                return
            }
        }
        _ = try answer(
            .invite(3, group: group, addresses: [], expiry: devices.now + 1_000_000, uses: Limits.invitationUses))
        guard
            case .invited(_, let invitation)? = try answer(
                .invite(4, group: group, addresses: [], expiry: devices.now + 1_000_000, uses: 3))
        else {
            Issue.record("no invitation was made")
            return
        }
        func join(_ device: Int) throws -> Bool {
            let session = try devices.connect(device, 0, invitation: invitation)
            try devices.settle()
            try devices.disconnect(session)
            return devices.devices[device].store.holdsGroup(group)
        }
        // The store remembers the devices that have used the invitation.
        #expect(try join(2))
        devices.devices[0] = try Devices.Device(seed: 77, store: devices.devices[0].store)
        #expect(try join(2) && join(3))
        let id = Invitation.id(ofSecret: invitation.secret, using: SwiftCryptography())
        #expect(devices.devices[0].store.invitation(id: id)?.users.count == 2)
        guard case .done? = try answer(.revoke(5, group: group, invitation: id)) else {
            Issue.record("it was not revoked")
            return
        }
        #expect(try !join(4))
        #expect(devices.errors(4).contains { $0.contains("does not know it") })
        guard case .failed(_, .notAllowed)? = try answer(.revoke(6, group: group, invitation: id)) else {
            Issue.record("it was revoked twice")
            return
        }
        guard
            case .invited(_, let single)? = try answer(
                .invite(7, group: group, addresses: [], expiry: devices.now + 1_000_000))
        else { return }
        for (device, isAdmitted) in [(4, true), (5, false)] {
            let session = try devices.connect(device, 0, invitation: single)
            try devices.settle()
            try devices.disconnect(session)
            #expect(devices.devices[device].store.holdsGroup(group) == isAdmitted)
        }
        #expect(devices.errors(5).contains { $0.contains("as many devices as it admits") })
    }
}

extension MembershipTests {
    /// Twenty members set a key concurrently, but one event names at most sixteen state heads.
    @Test func moreStateHeadsThanOneEventNamesAreJoined() throws {
        let devices = try Devices(20, seed: 11)
        let group = try devices.makeGroup()
        for device in 0..<20 {
            try devices.step(device, [.setState(3, group: group, key: "mood", value: [UInt8(device)])])
        }
        for device in 1..<20 { try devices.meet(0, device) }
        try devices.say(0, "all of it seen", in: group)
        try devices.meet(0, 1)
        let said = devices.delivered(1, in: group).last
        #expect(said.map { String(decoding: $0.content ?? [], as: UTF8.self) } == "all of it seen")
        #expect((1...16).contains(said?.header.stateHeads.count ?? 0))
        #expect(devices.errors(0).isEmpty && devices.errors(1).isEmpty)
    }
}
