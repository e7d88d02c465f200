import Testing
import TomboloCore
import TomboloCrypto

@Suite("A restored device that was not told of the restore")
struct RestoredDeviceTests {
    /// Creates two devices that know the same. Bob's writes more and is then restored to its old state.
    private func rolledBack(seed: UInt64) throws -> Cluster {
        let cluster = try Cluster("ann", "bob", seed: seed)
        for round in 0..<5 { try cluster["bob"].send("before \(round)") }
        try cluster.sync("ann", "bob")
        let copy = cluster["bob"].backup()
        for round in 0..<5 { try cluster["bob"].send("lost \(round)") }
        try cluster.sync("ann", "bob")
        try cluster["bob"].restart(seed: 99, from: copy)
        return cluster
    }

    /// The number of times that a device has learned that others hold more of its log than it does.
    private func findings(of device: Cluster.Device) -> Int {
        device.effects.count { if case .foundOlder = $0 { true } else { false } }
    }

    @Test("a restored device notices at the first meeting, receives its own events and begins a new log")
    func meetsFirst() throws {
        let cluster = try rolledBack(seed: 61)
        try cluster.sync("ann", "bob")
        #expect(findings(of: cluster["bob"]) == 1)
        try cluster["bob"].send("after")
        try cluster.sync("ann", "bob")
        for device in cluster.all {
            #expect(device.forks == 0)
            #expect(device.texts.count == 11)
            #expect(device.texts.last == "after")
        }
        #expect(Set(cluster["ann"].delivered.map(\.header.log)).count == 2)
        #expect(findings(of: cluster["bob"]) == 1, "once: the new log is nobody else's")
        #expect(findings(of: cluster["ann"]) == 0)
    }

    @Test("a restored device that writes before a meeting forks its log once, and then begins a new one")
    func writesFirst() throws {
        let cluster = try rolledBack(seed: 62)
        for round in 0..<3 { try cluster["bob"].send("too early \(round)") }
        try cluster.sync("ann", "bob")
        try cluster.sync("bob", "ann")
        #expect(findings(of: cluster["bob"]) == 1)
        let forks = cluster["ann"].forks
        #expect(forks > 0)
        for round in 0..<3 { try cluster["bob"].send("after \(round)") }
        try cluster.sync("ann", "bob")
        for device in cluster.all {
            #expect(device.errors.isEmpty)
            #expect(device.texts.count == 16)
            #expect(isCausal(device.delivered))
        }
        #expect(cluster["ann"].forks == forks)
        let logs = cluster["ann"].delivered.suffix(3).map(\.header.log)
        #expect(Set(logs).count == 1)
        #expect(!cluster["ann"].delivered.dropLast(3).map(\.header.log).contains(logs[0]))
    }
}
