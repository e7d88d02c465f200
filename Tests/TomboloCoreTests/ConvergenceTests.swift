import Testing
import TomboloCore
import TomboloCrypto

@Suite("Devices that were apart converge")
struct ConvergenceTests {
    @Test("three devices, never all connected, end with the same events in causal order")
    func threeDevices() throws {
        let devices = try Devices(3, seed: 1)
        let group = try devices.makeGroup()
        for round in 0..<20 {
            for device in 0..<3 { try devices.say(device, "\(device)/\(round)", in: group) }
        }
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            let session = try devices.connect(a, b)
            try devices.settle()
            try devices.disconnect(session)
        }
        for device in 0..<3 {
            #expect(devices.errors(device).isEmpty)
            #expect(isCausal(devices.delivered(device, in: group)))
        }
        // A's events reached B, and through B also C before C met A. B received C's events from C itself.
        let sets = (0..<3).map { Set(devices.texts($0, in: group)) }
        #expect(sets[0].count == 60)
        #expect(sets[2] == sets[0])
    }

    @Test("two devices in sync send little, however much they hold")
    func quiet() throws {
        let devices = try Devices(2, seed: 2)
        let group = try devices.makeGroup()
        for round in 0..<300 { try devices.say(round % 2, "round \(round)", in: group) }
        let first = try devices.connect(0, 1)
        try devices.settle()
        try devices.disconnect(first)
        #expect(Set(devices.texts(0, in: group)) == Set(devices.texts(1, in: group)))
        devices.bytesSent = [:]
        try devices.connect(1, 0)
        try devices.settle()
        #expect(devices.bytesSent.values.reduce(0, +) <= 300)
    }

    @Test("a device that is one event behind receives no more than that")
    func oneBehind() throws {
        let devices = try Devices(2, seed: 3)
        let group = try devices.makeGroup()
        for round in 0..<100 { try devices.say(round % 2, "round \(round)", in: group) }
        let first = try devices.connect(0, 1)
        try devices.settle()
        try devices.disconnect(first)
        try devices.say(0, "one more", in: group)
        devices.bytesSent = [:]
        try devices.connect(1, 0)
        try devices.settle()
        #expect(devices.texts(1, in: group).last == "one more")
        #expect(devices.bytesSent.values.reduce(0, +) <= 1_024)
    }

    @Test("an introduction and a frontier in one batch work like one after the other")
    func oneBatch() throws {
        let devices = try Devices(2, seed: 5)
        let group = try devices.makeGroup()
        for round in 0..<20 { try devices.say(round % 2, "round \(round)", in: group) }
        for dialler in 0..<2 {
            let first = try devices.connect(dialler, 1 - dialler)
            try devices.settle()
            try devices.disconnect(first)
            try devices.say(0, "more", in: group)
            for device in 0..<2 { devices.devices[device].effects = [] }
            let session = try devices.connect(dialler, 1 - dialler)
            while !devices.queue.isEmpty {
                // All payloads in flight to one device arrive at once.
                let next = devices.queue[0].to
                let batch = devices.queue.filter { $0.to == next }
                devices.queue.removeAll { $0.to == next }
                try devices.step(next, batch.map { .payloadReceived(session, $0.bytes[...]) })
            }
            try devices.settle()
            for device in 0..<2 {
                let strategies = devices.devices[device].effects.compactMap { effect in
                    if case .agreed(_, _, let report) = effect { return report.strategy }
                    return nil
                }
                #expect(strategies.first == .agreement, "device \(device), dialler \(dialler)")
            }
            try devices.disconnect(session)
        }
    }

    @Test("a group that two linked devices come to share syncs over the existing link")
    func joinedWhileLinked() throws {
        let devices = try Devices(2, seed: 5)
        // The devices know each other, and are linked, because of another group.
        _ = try devices.makeGroup()
        try devices.connect(0, 1)
        try devices.settle()
        let second = try devices.makeGroup()
        try devices.say(0, "to you", in: second)
        try devices.say(1, "and to you", in: second)
        try devices.settle()
        for device in 0..<2 {
            #expect(devices.errors(device).isEmpty)
            #expect(Set(devices.texts(device, in: second)) == ["to you", "and to you"])
        }
    }

    @Test("live events reach connected devices once")
    func live() throws {
        let devices = try Devices(3, seed: 4)
        let group = try devices.makeGroup()
        try devices.connect(0, 1)
        try devices.connect(1, 2)
        try devices.connect(2, 0)
        try devices.settle()
        for round in 0..<50 {
            try devices.say(round % 3, "live \(round)", in: group)
            try devices.settle(wakes: 1)
        }
        try devices.settle()
        for device in 0..<3 {
            #expect(devices.errors(device).isEmpty)
            #expect(devices.texts(device, in: group).count == 50)
            #expect(isCausal(devices.delivered(device, in: group)))
        }
    }
}
