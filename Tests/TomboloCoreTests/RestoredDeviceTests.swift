import Testing
import TomboloCore
import TomboloCrypto

@Suite("A restored device that was not told of the restore")
struct RestoredDeviceTests {
    /// Creates two devices that know the same. The second writes more and is then restored to its old state.
    private func rolledBack(seed: UInt64) throws -> (Devices, GroupID) {
        let devices = try Devices(2, seed: seed)
        let group = try devices.makeGroup()
        for round in 0..<5 { try devices.say(1, "before \(round)", in: group) }
        try devices.meet(0, 1)
        let copy = MemoryStore(copying: devices.devices[1].store)
        for round in 0..<5 { try devices.say(1, "lost \(round)", in: group) }
        try devices.meet(0, 1)
        devices.devices[1] = try Devices.Device(seed: 99, store: copy)
        return (devices, group)
    }

    private func found(_ devices: Devices, _ device: Int) -> Int {
        devices.devices[device].effects.count { if case .foundOlder = $0 { true } else { false } }
    }

    @Test("a restored device notices at the first meeting, receives its own events and begins a new log")
    func meetsFirst() throws {
        let (devices, group) = try rolledBack(seed: 61)
        try devices.meet(0, 1)
        #expect(found(devices, 1) == 1)
        try devices.say(1, "after", in: group)
        try devices.meet(0, 1)
        for device in 0..<2 {
            #expect(devices.forks(device) == 0)
            #expect(devices.texts(device, in: group).count == 11)
            #expect(devices.texts(device, in: group).last == "after")
        }
        #expect(Set(devices.delivered(0, in: group).map(\.header.log)).count == 2)
        #expect(found(devices, 1) == 1, "once: the new log is nobody else's")
        #expect(found(devices, 0) == 0)
    }

    @Test("a restored device that writes before a meeting forks its log once, and then begins a new one")
    func writesFirst() throws {
        let (devices, group) = try rolledBack(seed: 62)
        for round in 0..<3 { try devices.say(1, "too early \(round)", in: group) }
        try devices.meet(0, 1)
        try devices.meet(1, 0)
        #expect(found(devices, 1) == 1)
        let forks = devices.forks(0)
        #expect(forks > 0)
        for round in 0..<3 { try devices.say(1, "after \(round)", in: group) }
        try devices.meet(0, 1)
        for device in 0..<2 {
            #expect(devices.errors(device).isEmpty)
            #expect(devices.texts(device, in: group).count == 16)
            #expect(isCausal(devices.delivered(device, in: group)))
        }
        #expect(devices.forks(0) == forks)
        let logs = devices.delivered(0, in: group).suffix(3).map(\.header.log)
        #expect(Set(logs).count == 1)
        #expect(!devices.delivered(0, in: group).dropLast(3).map(\.header.log).contains(logs[0]))
    }
}
