import Testing
import TomboloCore
import TomboloCrypto

/// Devices that keep only a part of the contents.
@Suite("Retention on a device")
struct RetentionTests {
    private let day: UInt64 = 86_400_000

    @Test("a content that comes back expires in its time, whatever had removed it")
    func backAndGone() throws {
        let cluster = try Cluster("ann", "bob", seed: 31, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<10 { try cluster["ann"].send("\(number)", expiring: day) }
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(Retention(count: 2))
        try cluster.pass(60_000, rounds: 4)
        // The store is in the state after a redaction that no longer stands.
        let store = cluster["bob"].store
        let gone = store.headers(ordinals: Array(1...store.lastOrdinal())).filter { !$0.hasContent }
        #expect(gone.count == 8)
        store.erase(gone, forGood: true, inGroup: 1)
        try cluster["bob"].keep(.everything)
        try cluster.sync("bob", "ann")
        #expect(cluster["bob"].shown == (0..<10).map { "\($0)" })
        try cluster.pass(day, rounds: 4)
        #expect(cluster["bob"].shown == [String](repeating: "-", count: 10))
    }

    @Test("a device keeps the latest contents by number, by size or by age", arguments: [Policy.open, .private])
    func kept(policy: Policy) throws {
        let cluster = try Cluster("ann", "bob", policy: policy, seed: 1, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<20 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(Retention(count: 5))
        try cluster.pass(60_000, rounds: 4)
        let dashes = [String](repeating: "-", count: 15)
        #expect(cluster["bob"].shown == dashes + (15..<20).map { "\($0)" })
        #expect(cluster["ann"].shown == (0..<20).map { "\($0)" })
        #expect(cluster.roots.count == 1)
        #expect(try cluster.isQuiet("ann", "bob") && cluster.isQuiet("bob", "ann"))
        #expect(cluster["bob"].shown.prefix(15) == dashes[...], "nothing is fetched again")
        // The application was told.
        #expect(cluster["bob"].changes(.erased) == 15)
        // More contents arrive, and more are dropped.
        for number in 20..<30 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "bob")
        try cluster.pass(60_000, rounds: 4)
        #expect(cluster["bob"].shown.filter { $0 != "-" } == (25..<30).map { "\($0)" })
        // The limit is by size. A sealed content takes 16 bytes more.
        try cluster["bob"].keep(Retention(bytes: policy == .private ? 3 * 18 : 3 * 2))
        try cluster.pass(0, rounds: 4)
        #expect(cluster["bob"].shown.filter { $0 != "-" } == ["27", "28", "29"])
        // The limit is by age since arrival, whatever the author's clock states.
        try cluster["bob"].keep(Retention(age: .seconds(30 * 86_400)))
        try cluster.pass(0, rounds: 4)
        try cluster.pass(20 * day, rounds: 4)
        #expect(cluster["bob"].shown.filter { $0 != "-" } == ["27", "28", "29"])
        try cluster["ann"].send("later")
        try cluster.sync("ann", "bob")
        try cluster.pass(15 * day, rounds: 4)
        #expect(cluster["bob"].shown.filter { $0 != "-" } == ["later"])
        #expect(cluster.roots.count == 1 && cluster.errors.isEmpty)
    }

    @Test("a device keeps its own contents, so some device has each content whatever others drop")
    func ownIsKept() throws {
        let cluster = try Cluster("ann", "bob", seed: 2, role: .admin, meetings: .withFirst(rounds: 2))
        for device in cluster.all { try device.keep(Retention(count: 1)) }
        for number in 0..<5 {
            for device in cluster.all { try device.send("\(number) of \(device.index)") }
            try cluster.sync("ann", "bob")
        }
        try cluster.pass(120_000, rounds: 4)
        for device in cluster.all {
            let own = device.shown.filter { $0.hasSuffix("of \(device.index)") }
            #expect(own == (0..<5).map { "\($0) of \(device.index)" })
            #expect(device.shown.count { $0 == "-" } == 4)
        }
        for device in cluster.all { try device.keep(.everything) }
        try cluster.sync("ann", "bob")
        for device in cluster.all { #expect(!device.shown.contains("-"), "\(device)") }
    }

    @Test(
        "a partial device gives all that it has; its peer does not wait for the rest and gets it elsewhere"
    )
    func newcomer() throws {
        let cluster = try Cluster(
            "ann", "bob", "cat", "dan", policy: .private, seed: 3, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<300 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(Retention(count: 10))
        try cluster.pass(60_000, rounds: 4)
        // Cat has joined, and has been away since.
        try cluster.sync("bob", "cat")
        #expect(cluster["cat"].shown == [String](repeating: "-", count: 290) + (290..<300).map { "\($0)" })
        #expect(!cluster["cat"].delivered.isEmpty)
        #expect(try cluster.isQuiet("bob", "cat"))
        // After a restart Cat still knows that, and passes it on to Dan, which also lacks the contents.
        try cluster["cat"].restart(seed: 40)
        try cluster.sync("cat", "dan")
        #expect(cluster["dan"].shown.filter { $0 != "-" } == (290..<300).map { "\($0)" })
        #expect(try cluster.isQuiet("cat", "dan"))
        for device in cluster["cat", "dan"] {
            try cluster.sync("ann", device)
            #expect(device.shown == (0..<300).map { "\($0)" }, "\(device)")
            #expect(device.changes(.restored) == 290)
            #expect(try cluster.isQuiet("ann", device))
        }
        #expect(try cluster.isQuiet("cat", "dan") && cluster.isQuiet("bob", "dan"))
        #expect(cluster["bob"].shown.filter { $0 != "-" }.count == 10)
        #expect(cluster.roots.count == 1)
        #expect(cluster.errors.isEmpty)
    }

    @Test("a device that keeps everything again receives the contents that others have")
    func everythingAgain() throws {
        let cluster = try Cluster("ann", "bob", seed: 4, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<50 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(Retention(count: 5))
        try cluster.pass(60_000, rounds: 4)
        try cluster["bob"].keep(.everything)
        #expect(cluster["bob"].engine.retention(of: cluster.group) == .everything)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].shown == (0..<50).map { "\($0)" })
        // A dropped content that expired or was redacted meanwhile does not come back, and nobody asks for it forever.
        try cluster["bob"].keep(Retention(count: 5))
        try cluster.pass(0, rounds: 4)
        #expect(cluster["bob"].shown.count { $0 == "-" } == 45)
        let event = try #require(cluster["ann"].delivered.first { $0.header.kind == .message })
        try cluster["ann"].redact(event.reference)
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(.everything)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].shown == ["-"] + (1..<50).map { "\($0)" })
        #expect(try cluster.isQuiet("ann", "bob") && cluster.isQuiet("ann", "bob"))
    }

    @Test("a device that recovers contents passes them on to connected devices", arguments: [false, true])
    func alongTheLine(firstLinked: Bool) throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 9, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<50 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", with: cluster.others(than: "ann"))
        for device in cluster["bob", "cat"] { try device.keep(Retention(count: 5)) }
        try cluster.pass(60_000, rounds: 4)
        for device in cluster["bob", "cat"] { try device.keep(.everything) }
        // Neither device has what the other lacks, and they stay connected.
        if firstLinked { try cluster.connect("cat", "bob") } else { try cluster.sync("cat", "bob") }
        try cluster.settle()
        #expect(cluster["cat"].shown.count { $0 == "-" } == 45)
        try cluster.connect("ann", "bob")
        if !firstLinked { try cluster.connect("bob", "cat") }
        try cluster.settle()
        for device in cluster["bob", "cat"] { #expect(device.shown == (0..<50).map { "\($0)" }) }
    }

    @Test("a dropped content that came back still expires")
    func expiry() throws {
        let cluster = try Cluster("ann", "bob", seed: 5, role: .admin, meetings: .withFirst(rounds: 2))
        let expiry = cluster.now + 50_000_000
        try cluster["ann"].append(Array("for a while".utf8), expiry: expiry)
        try cluster["ann"].send("for good")
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(Retention(count: 1))
        try cluster.pass(60_000, rounds: 4)
        #expect(cluster["bob"].shown == ["-", "for good"])
        try cluster["bob"].keep(.everything)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].shown == ["for a while", "for good"])
        try cluster.pass(60_000_000, rounds: 4)
        for device in cluster.all { #expect(device.shown == ["-", "for good"]) }
    }

    @Test("a peer that claims to keep nothing delays what it withholds until another peer is met")
    func withheld() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 6, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<20 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "bob")
        // Bob strips the events that it passes on, and claims to keep nothing.
        cluster.rewriteGroups(from: "bob") { $0.horizon = 1 << 52 }
        try cluster["bob"].strip()
        try cluster.sync("bob", "cat")
        #expect(Set(cluster["cat"].shown) == ["-"])
        try cluster.sync("ann", "cat")
        #expect(cluster["cat"].shown == (0..<20).map { "\($0)" })
        #expect(cluster["cat"].errors.isEmpty)
    }

    @Test("nobody waits forever for a peer that claims to have everything and has nothing")
    func lying() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 7, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<20 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "bob")
        try cluster.sync("ann", "cat")
        try cluster["bob"].keep(Retention(count: 2))
        try cluster.pass(60_000, rounds: 4)
        try cluster["bob"].keep(.everything)
        cluster.rewrite(from: "cat") { payload in payload.groups.removeAll { $0.events != nil } }
        cluster["bob"].effects = []
        try cluster.sync("bob", "cat")
        #expect(cluster["bob"].shown.count { $0 == "-" } == 18)
        #expect(cluster["bob"].hasAgreed)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].shown == (0..<20).map { "\($0)" })
    }

    @Test("an event that was held for long and is delivered late counts too")
    func late() throws {
        let cluster = try Cluster(
            "ann", "bob", policy: .private, seed: 12, role: .admin, meetings: .withFirst(rounds: 2))
        cluster.drop(to: "bob") { $0.groups.contains { $0.share != nil } }
        for number in 0..<10 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(Retention(count: 3))
        try cluster.pass(60_000, rounds: 4)
        #expect(cluster["bob"].shown.isEmpty)
        cluster.stopIntercepting()
        try cluster.sync("ann", "bob")
        try cluster.pass(120_000, rounds: 4)
        #expect(cluster["bob"].shown.filter { $0 != "-" } == ["7", "8", "9"])
    }

    @Test("a dropped content also comes back by a manual ingest")
    func byHand() throws {
        let cluster = try Cluster("ann", "bob", seed: 13, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<10 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(Retention(count: 3))
        try cluster.pass(60_000, rounds: 4)
        try cluster["bob"].keep(.everything)
        try cluster["bob"].ingest(cluster["ann"].events.map(\.event))
        #expect(cluster["bob"].shown == (0..<10).map { "\($0)" })
    }

    @Test("an undeliverable event raises no horizon, and contents withheld later are waited for")
    func inventedTime() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 8, role: .admin, meetings: .withFirst(rounds: 2))
        // The event is a stranger's, states a time that no known event leads to, and lacks its content.
        var own = cluster.foreignLog(seed: 6)
        let invented = EventReference(
            id: EventID(SwiftCryptography().sha256([7])), log: LogID(SwiftCryptography().sha256([8])), sequence: 3,
            lamport: Limits.integer - 2)
        let bait = own.event(after: nil, "bait") { header in
            header.isSalted = true
            header.parents = [invented]
            header.lamport = invented.lamport + 1
        }
        #expect(bait.header.lamport == Limits.integer - 1)
        try cluster["bob"].ingest([bait.erased], horizon: Limits.integer - 1)
        #expect(cluster["bob"].store.lastOrdinal() > 0)
        cluster.intercept { wire in
            guard wire.from == "bob" || wire.to == "bob", var payload = wire.payload else {
                return wire.bytes
            }
            for index in payload.groups.indices where payload.groups[index].horizon != nil {
                payload.groups[index].horizon = nil
                Issue.record("a horizon was said")
            }
            return payload.encoded
        }
        for number in 0..<5 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", "cat")
        // Cat strips contents and does not claim to keep nothing.
        try cluster["cat"].strip()
        try cluster.sync("cat", "bob")
        #expect(cluster["bob"].shown.isEmpty, "it waits")
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].shown == (0..<5).map { "\($0)" })
    }

    @Test("a withheld content that a peer claims to have dropped is first asked of that peer, then skipped")
    func withheldAndDropped() throws {
        let cluster = try Cluster("ann", "bob", "cat", "dan", seed: 9, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<3 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", with: cluster["bob", "cat"])
        // Bob strips contents. Cat claims to keep a part, and has everything all the same.
        try cluster["bob"].strip()
        try cluster.sync("bob", "dan")
        #expect(cluster["dan"].shown.isEmpty)
        cluster.rewriteGroups(from: "cat") { if $0.tag != nil { $0.horizon = 1_000 } }
        try cluster.sync("dan", "cat")
        #expect(cluster["dan"].shown == ["0", "1", "2"])
        cluster.stopIntercepting()
        try cluster["cat"].keep(Retention(count: 1))
        try cluster.pass(60_000, rounds: 4)
        try cluster.add("laptop", seed: 62)
        try cluster.link("laptop", to: "dan")
        try cluster.open(on: "laptop", from: "dan")
        try cluster.sync("laptop", "bob")
        #expect(cluster["laptop"].shown.isEmpty)
        try cluster.sync("laptop", "cat")
        #expect(cluster["laptop"].shown == ["-", "-", "2"])
        try cluster.sync("laptop", "ann")
        #expect(cluster["laptop"].shown == ["0", "1", "2"])
    }

    @Test("a bound beyond all limits is stored as such and read again at a restart")
    func hugeBounds() throws {
        let cluster = try Cluster("ann", "bob", seed: 14, role: .admin, meetings: .withFirst(rounds: 2))
        try cluster["ann"].send("a content")
        try cluster.sync("ann", "bob")
        try cluster["bob"].keep(Retention(age: .seconds(Int64.max), count: .max, bytes: .max))
        try cluster.pass(60_000, rounds: 4)
        try cluster["bob"].restart(seed: 63)
        try cluster["bob"].wake()
        #expect(cluster["bob"].shown == ["a content"])
    }

    @Test("a clock that was wrong does not keep later contents forever")
    func clocks() throws {
        let cluster = try Cluster("ann", "bob", seed: 10, role: .admin, meetings: .withFirst(rounds: 2))
        try cluster["bob"].keep(Retention(age: .seconds(30 * 86_400)))
        let right = cluster.now
        try cluster.pass(400 * day, rounds: 4)
        cluster.now = right + 1_000_000
        try cluster["ann"].send("after it was put right")
        try cluster.sync("ann", "bob")
        try cluster.pass(120_000, rounds: 4)
        #expect(cluster["bob"].shown == ["after it was put right"])
        for _ in 0..<20 { try cluster.pass(day, rounds: 4) }
        #expect(cluster["bob"].shown == ["after it was put right"])
        try cluster.pass(20 * day, rounds: 4)
        #expect(cluster["bob"].shown == ["-"])
    }

    @Test("unwanted events push out no contents")
    func unwantedIsNotCounted() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 11, role: .admin, meetings: .withFirst(rounds: 2))
        for number in 0..<5 { try cluster["ann"].send("\(number)") }
        try cluster.sync("ann", with: cluster.others(than: "ann"))
        try cluster["ann"].setRole(of: "cat", to: .none)
        try cluster.sync("ann", "bob")
        for number in 0..<50 { try cluster["cat"].send("late \(number)") }
        try cluster.sync("bob", "cat")
        try cluster["bob"].keep(Retention(count: 5))
        try cluster.pass(60_000, rounds: 4)
        #expect(cluster["bob"].shown == (0..<5).map { "\($0)" })
    }

    @Test(
        "a content that any device keeps reaches every device that wants it, whatever others drop",
        arguments: [UInt64(0), 1, 2, 3])
    func random(block: UInt64) throws {
        var (dropped, restored) = (0, 0)
        for seed in block * 20..<block * 20 + 20 {
            var generator = SeededGenerator(seed: seed)
            let policy: Policy = [.open, .private, .privateFromJoining][Int(seed % 3)]
            let cluster = try Cluster(
                4, policy: policy, seed: seed &* 7_919, role: .admin, meetings: .withFirst(rounds: 2))
            for step in 0..<40 {
                cluster.advance(by: 10)
                let device = cluster[Int.random(in: 0..<4, using: &generator)]
                let other = cluster[Int.random(in: 0..<4, using: &generator)]
                switch Int.random(in: 0..<12, using: &generator) {
                case 0..<4: try device.send("\(step)")
                case 4:
                    let expiry = cluster.now + UInt64.random(in: 1..<400, using: &generator)
                    try device.append([UInt8(step)], expiry: expiry)
                case 5:
                    guard let event = device.messages.randomElement(using: &generator) else { break }
                    try device.redact(event.reference)
                case 6 where device.name != "ann":
                    let count = Int.random(in: 1..<8, using: &generator)
                    try device.keep(Bool.random(using: &generator) ? .everything : Retention(count: count))
                    try device.wake()
                case 7: try device.restart(seed: seed &* 37 &+ UInt64(step))
                default: if device != other { try cluster.sync(device, other) }
                }
            }
            // Each author has its own contents, whatever the others have dropped.
            for device in cluster.others(than: "ann") { try device.keep(.everything) }
            try cluster.pass(1_000)
            try cluster.syncAll(rounds: 4)
            let logs = cluster.all.map { device in
                Dictionary(
                    uniqueKeysWithValues: device.events.filter { $0.event.header.kind == .message }.map {
                        ($0.event.id, "\($0.status) \(device.text(of: $0.event) ?? "-")")
                    })
            }
            for device in cluster.others(than: "ann") {
                let own = logs[device.index]
                let differing = own.filter { logs[0][$0.key] != $0.value }
                for (event, said) in own where said.hasSuffix("delivered -") {
                    let isOver = device.held(event)?.event.header.expiry.map { $0 <= cluster.now } ?? false
                    let isRedacted = device.engine.state(of: cluster.group)?.nodes.contains {
                        if case .redact(let redaction) = $0.action { redaction.event.id == event } else { false }
                    }
                    #expect(
                        isOver || isRedacted == true,
                        "seed \(seed), \(device): it is gone, and nobody took it back")
                }
                #expect(
                    differing.isEmpty,
                    "seed \(seed), \(device): \(differing) \(differing.map { logs[0][$0.key] ?? "" })")
                #expect(try cluster.isQuiet("ann", device), "seed \(seed), \(device)")
                #expect(device.errors.isEmpty, "seed \(seed), \(device)")
                restored += device.changes(.restored)
                dropped += device.changes(.erased)
            }
            #expect(cluster.roots.count == 1, "seed \(seed)")
        }
        #expect(dropped > 0 && restored > 0, "nothing was tried: \(dropped), \(restored)")
    }
}

extension Cluster.Device {
    /// Removes all erasable contents without the engine's knowledge, so that the device withholds them.
    fileprivate func strip() throws {
        let events = store.headers(ordinals: Array(1...store.lastOrdinal())).filter(\.header.isErasable)
        store.erase(events, forGood: true, inGroup: groupReference)
        try restart(seed: 50 + UInt64(index))
    }
}
