import Testing
import TomboloCore
import TomboloCrypto

@Suite("Logs with forks, gaps and false claims")
struct LogTests {
    @Test("both devices hold both branches of a fork, report it and agree", arguments: [1, 3, 40, 200])
    func forks(length: Int) throws {
        let cluster = try Cluster("ann", "bob", seed: 31)
        var log = cluster.foreignLog(seed: 1)
        let trunk = log.chain(length, "trunk")
        let left = log.chain(length, after: trunk.last, "left")
        let right = log.chain(length + 1, after: trunk.last, "right")
        try cluster["ann"].ingest(trunk + left)
        try cluster["bob"].ingest(trunk + right)
        cluster.forgetEffects()
        try cluster.sync("ann", "bob")
        try cluster.sync("bob", "ann")
        for device in cluster.all {
            #expect(device.errors.isEmpty)
            #expect(device.delivered.count == 3 * length + 1)
            #expect(isCausal(device.delivered))
            #expect(device.forks > 0)
            #expect(device.hasAgreed)
        }
        // The conversation continues.
        try cluster["ann"].send("after the fork")
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].texts.last == "after the fork")
    }

    @Test("a receiver that cannot rebuild a window still learns the logs that it declares")
    func stuckWindow() throws {
        let cluster = try Cluster("ann", "bob", "cat", "dan", seed: 77)
        let link = try cluster.connect("ann", "bob")
        try cluster.settle()
        try cluster["cat"].send("before")
        try cluster.sync("cat", "ann")
        try cluster.sync("ann", "dan")
        let copy = cluster["cat"].backup()
        // The event is sent over the link. The dialler relies on it in later windows.
        try cluster["cat"].send("the one")
        try cluster.sync("cat", "ann")
        // The listener receives a second event of the same sequence, which the dialler does not know.
        let original = cluster["cat"].state
        try cluster["cat"].restart(seed: 5, from: copy)
        try cluster["cat"].send("the other")
        let other = try cluster.connect("cat", "bob")
        try cluster.carry(only: other)
        try cluster.disconnect(other)
        cluster["cat"].state = original
        // A window continues the log and declares another one behind it. Later windows rely on that declaration.
        try cluster["cat"].send("after the one")
        let news = try cluster.connect("cat", "dan")
        try cluster.carry(only: news)
        try cluster["dan"].send("a new log, after it")
        let both = try cluster.connect("dan", "ann")
        try cluster.carry(only: both)
        try cluster.settle()
        for device in cluster["ann", "bob"] {
            #expect(device.errors.isEmpty, "\(device): \(device.errors)")
            #expect(device.texts.contains("a new log, after it"))
            #expect(device.texts.contains("the other"))
        }
        try cluster.disconnect(link)
    }

    @Test("events wait for ancestors from another sender and are delivered after them")
    func waiting() throws {
        let cluster = try Cluster("ann", "bob", seed: 32)
        var (one, other) = (cluster.foreignLog(seed: 1), cluster.foreignLog(seed: 2))
        var (ones, others): ([Event], [Event]) = ([], [])
        for number in 0..<300 {
            let parents = others.last.map { [$0] } ?? []
            ones.append(one.event(after: ones.last, parents: parents, "one \(number)"))
            others.append(other.event(after: others.last, parents: [ones[ones.count - 1]], "other \(number)"))
        }
        try cluster["ann"].ingest(ones)
        try cluster["bob"].ingest(others)
        #expect(cluster["ann"].delivered.count == 1)
        #expect(cluster["bob"].delivered.isEmpty)
        try cluster.sync("ann", "bob")
        for device in cluster.all {
            #expect(device.delivered.count == 600)
            #expect(isCausal(device.delivered))
        }
    }

    @Test("events that were relayed in pieces of any length are relayed further", arguments: [UInt64(1), 2, 3])
    func relayed(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let cluster = try Cluster("ann", "bob", "cat", "dan", seed: seed)
        var logs = (0..<3).map { cluster.foreignLog(seed: seed + $0) }
        var last: [Event?] = [nil, nil, nil]
        var count = 0
        for _ in 0..<12 {
            for index in 0..<3 {
                let length = Int.random(in: 1...130, using: &generator)
                let chain = logs[index].chain(length, after: last[index], "log \(index)")
                last[index] = chain.last
                count += length
                try cluster["ann"].ingest(chain)
            }
            try cluster.sync("ann", "bob")
            if Bool.random(using: &generator) { try cluster.sync("cat", "bob") }
        }
        try cluster.sync("bob", "cat")
        try cluster.sync("dan", "cat")
        for device in cluster.all {
            #expect(device.errors.isEmpty, "seed \(seed)")
            #expect(device.delivered.count == count, "seed \(seed)")
        }
    }

    @Test("an event with an invalid signature is not held, nor are events that only it authenticates")
    func badSignature() throws {
        let cluster = try Cluster("ann", seed: 33)
        var log = cluster.foreignLog(seed: 1)
        let first = log.event(after: nil, "first", signed: false)
        var second = log.event(after: first, "second")
        second = second.signed(with: [UInt8](repeating: 7, count: 64)[...])
        try cluster["ann"].ingest([first, second])
        #expect(cluster["ann"].delivered.isEmpty)
        let third = log.event(after: second, "third")
        try cluster["ann"].ingest([first, second, third])
        // The signature of the third event authenticates all three. An invalid signature does not spoil its event.
        #expect(cluster["ann"].delivered.count == 3)
    }

    @Test("an event with false claims about its ancestors is never delivered, nor are its descendants")
    func falseClaims() throws {
        let cluster = try Cluster("ann", "bob", seed: 34)
        var (one, other) = (cluster.foreignLog(seed: 1), cluster.foreignLog(seed: 2))
        let root = one.event(after: nil, "root")
        let liar = other.event(after: nil, parents: [root], "liar") { header in
            header.parents[0].lamport = 5
            header.lamport = 6
        }
        let heir = other.event(after: liar, "heir")
        try cluster["ann"].ingest([root, liar, heir])
        // The verdict is the same in another order of arrival.
        try cluster["bob"].ingest([liar, heir])
        try cluster["bob"].ingest([root])
        for device in cluster.all { #expect(device.texts == ["root"]) }
        cluster.forgetEffects()
        try cluster.sync("ann", "bob")
        #expect(cluster["ann"].hasAgreed && cluster["bob"].hasAgreed)
    }
}
