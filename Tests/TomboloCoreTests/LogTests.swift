import Testing
import TomboloCore
import TomboloCrypto

@Suite("Logs with forks, gaps and false claims")
struct LogTests {
    @Test("both devices hold both branches of a fork, report it and agree", arguments: [1, 3, 40, 200])
    func forks(length: Int) throws {
        let devices = try Devices(2, seed: 31)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let trunk = log.chain(length, "trunk")
        let left = log.chain(length, after: trunk.last, "left")
        let right = log.chain(length + 1, after: trunk.last, "right")
        try devices.ingest(trunk + left, into: 0, group: group)
        try devices.ingest(trunk + right, into: 1, group: group)
        for device in 0..<2 { devices.devices[device].effects = [] }
        try devices.meet(0, 1)
        try devices.meet(1, 0)
        for device in 0..<2 {
            #expect(devices.errors(device).isEmpty)
            #expect(devices.delivered(device, in: group).count == 3 * length + 1)
            #expect(isCausal(devices.delivered(device, in: group)))
            #expect(devices.forks(device) > 0)
            #expect(devices.haveAgreed(device))
        }
        // The conversation continues.
        try devices.say(0, "after the fork", in: group)
        try devices.meet(0, 1)
        #expect(devices.texts(1, in: group).last == "after the fork")
    }

    @Test("a receiver that cannot rebuild a window still learns the logs that it declares")
    func stuckWindow() throws {
        let devices = try Devices(4, seed: 77)
        let group = try devices.makeGroup()
        let link = try devices.connect(0, 1)
        try devices.settle()
        try devices.say(2, "before", in: group)
        try devices.meet(2, 0)
        try devices.meet(0, 3)
        let copy = MemoryStore(copying: devices.devices[2].store)
        // The event is sent over the link. The dialler relies on it in later windows.
        try devices.say(2, "the one", in: group)
        try devices.meet(2, 0)
        // The listener receives a second event of the same sequence, which the dialler does not know.
        let original = devices.devices[2]
        devices.devices[2] = try Devices.Device(seed: 5, store: copy)
        try devices.say(2, "the other", in: group)
        let other = try devices.connect(2, 1)
        try devices.carry(only: other)
        try devices.disconnect(other)
        devices.devices[2] = original
        // A window continues the log and declares another one behind it. Later windows rely on that declaration.
        try devices.say(2, "after the one", in: group)
        let news = try devices.connect(2, 3)
        try devices.carry(only: news)
        try devices.say(3, "a new log, after it", in: group)
        let both = try devices.connect(3, 0)
        try devices.carry(only: both)
        try devices.settle()
        for device in 0..<2 {
            #expect(devices.errors(device).isEmpty, "device \(device): \(devices.errors(device))")
            #expect(devices.texts(device, in: group).contains("a new log, after it"))
            #expect(devices.texts(device, in: group).contains("the other"))
        }
        try devices.disconnect(link)
    }

    @Test("events wait for ancestors from another sender and are delivered after them")
    func waiting() throws {
        let devices = try Devices(2, seed: 32)
        let group = try devices.makeGroup()
        var (one, other) = (ForeignLog(group: group, seed: 1), ForeignLog(group: group, seed: 2))
        var (ones, others): ([Event], [Event]) = ([], [])
        for number in 0..<300 {
            let parents = others.last.map { [$0] } ?? []
            ones.append(one.event(after: ones.last, parents: parents, "one \(number)"))
            others.append(other.event(after: others.last, parents: [ones[ones.count - 1]], "other \(number)"))
        }
        try devices.ingest(ones, into: 0, group: group)
        try devices.ingest(others, into: 1, group: group)
        #expect(devices.delivered(0, in: group).count == 1)
        #expect(devices.delivered(1, in: group).isEmpty)
        try devices.meet(0, 1)
        for device in 0..<2 {
            #expect(devices.delivered(device, in: group).count == 600)
            #expect(isCausal(devices.delivered(device, in: group)))
        }
    }

    @Test("events that were relayed in pieces of any length are relayed further", arguments: [UInt64(1), 2, 3])
    func relayed(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let devices = try Devices(4, seed: seed)
        let group = try devices.makeGroup()
        var logs = (0..<3).map { ForeignLog(group: group, seed: seed + $0) }
        var last: [Event?] = [nil, nil, nil]
        var count = 0
        for _ in 0..<12 {
            for index in 0..<3 {
                let length = Int.random(in: 1...130, using: &generator)
                let chain = logs[index].chain(length, after: last[index], "log \(index)")
                last[index] = chain.last
                count += length
                try devices.ingest(chain, into: 0, group: group)
            }
            try devices.meet(0, 1)
            if Bool.random(using: &generator) { try devices.meet(2, 1) }
        }
        try devices.meet(1, 2)
        try devices.meet(3, 2)
        for device in 0..<4 {
            #expect(devices.errors(device).isEmpty, "seed \(seed)")
            #expect(devices.delivered(device, in: group).count == count, "seed \(seed)")
        }
    }

    @Test("an event with an invalid signature is not held, nor are events that only it authenticates")
    func badSignature() throws {
        let devices = try Devices(1, seed: 33)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let first = log.event(after: nil, "first", signed: false)
        var second = log.event(after: first, "second")
        second = second.signed(with: [UInt8](repeating: 7, count: 64)[...])
        try devices.ingest([first, second], into: 0, group: group)
        #expect(devices.delivered(0, in: group).isEmpty)
        let third = log.event(after: second, "third")
        try devices.ingest([first, second, third], into: 0, group: group)
        // The signature of the third event authenticates all three. An invalid signature does not spoil its event.
        #expect(devices.delivered(0, in: group).count == 3)
    }

    @Test("an event with false claims about its ancestors is never delivered, nor are its descendants")
    func falseClaims() throws {
        let devices = try Devices(2, seed: 34)
        let group = try devices.makeGroup()
        var (one, other) = (ForeignLog(group: group, seed: 1), ForeignLog(group: group, seed: 2))
        let root = one.event(after: nil, "root")
        let liar = other.event(after: nil, parents: [root], "liar") { header in
            header.parents[0].lamport = 5
            header.lamport = 6
        }
        let heir = other.event(after: liar, "heir")
        try devices.ingest([root, liar, heir], into: 0, group: group)
        // The verdict is the same in another order of arrival.
        try devices.ingest([liar, heir], into: 1, group: group)
        try devices.ingest([root], into: 1, group: group)
        for device in 0..<2 { #expect(devices.texts(device, in: group) == ["root"]) }
        for device in 0..<2 { devices.devices[device].effects = [] }
        try devices.meet(0, 1)
        #expect(devices.haveAgreed(0) && devices.haveAgreed(1))
    }
}
