import Testing
import TomboloCore
import TomboloCrypto

@Suite("Devices that were apart converge")
struct ConvergenceTests {
    @Test("three devices, never all connected, end with the same events in causal order")
    func threeDevices() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 1)
        for round in 0..<20 {
            for device in cluster.all { try device.send("\(device.index)/\(round)") }
        }
        try cluster.sync("ann", "bob")
        try cluster.sync("bob", "cat")
        try cluster.sync("cat", "ann")
        for device in cluster.all {
            #expect(device.errors.isEmpty)
            #expect(isCausal(device.delivered))
        }
        // Ann's events reached Bob, and through Bob also Cat before Cat met Ann. Bob received Cat's events from Cat.
        #expect(Set(cluster["ann"].texts).count == 60)
        #expect(Set(cluster["cat"].texts) == Set(cluster["ann"].texts))
    }

    @Test("two devices in sync send little, however much they hold")
    func quiet() throws {
        let cluster = try Cluster("ann", "bob", seed: 2)
        for round in 0..<300 { try cluster[round % 2].send("round \(round)") }
        try cluster.sync("ann", "bob")
        #expect(Set(cluster["ann"].texts) == Set(cluster["bob"].texts))
        let bytes = try cluster.bytes {
            try cluster.connect("bob", "ann")
            try cluster.settle()
        }
        #expect(bytes <= 300)
    }

    @Test("a device that is one event behind receives no more than that")
    func oneBehind() throws {
        let cluster = try Cluster("ann", "bob", seed: 3)
        for round in 0..<100 { try cluster[round % 2].send("round \(round)") }
        try cluster.sync("ann", "bob")
        try cluster["ann"].send("one more")
        let bytes = try cluster.bytes {
            try cluster.connect("bob", "ann")
            try cluster.settle()
        }
        #expect(cluster["bob"].texts.last == "one more")
        #expect(bytes <= 1_024)
    }

    @Test("an introduction and a frontier in one batch work like one after the other")
    func oneBatch() throws {
        let cluster = try Cluster("ann", "bob", seed: 5)
        for round in 0..<20 { try cluster[round % 2].send("round \(round)") }
        for (dialler, listener) in [("ann", "bob"), ("bob", "ann")] {
            try cluster.sync(dialler, listener)
            try cluster["ann"].send("more")
            cluster.forgetEffects()
            let session = try cluster.connect(dialler, listener)
            while !cluster.devices.queue.isEmpty {
                // All payloads in flight to one device arrive at once.
                let receiver = cluster.devices.queue[0].to
                let batch = cluster.devices.queue.filter { $0.to == receiver }
                cluster.devices.queue.removeAll { $0.to == receiver }
                try cluster[receiver].step(batch.map { .payloadReceived(session, $0.bytes[...]) })
            }
            try cluster.settle()
            for device in cluster.all {
                #expect(device.reports.first?.strategy == .agreement, "\(device), when \(dialler) dials")
            }
            try cluster.disconnect(session)
        }
    }

    @Test("a group that two linked devices come to share syncs over the existing link")
    func joinedWhileLinked() throws {
        let cluster = try Cluster("ann", "bob", seed: 5)
        // The devices know each other, and are linked, because of the first group.
        try cluster.connect("ann", "bob")
        try cluster.settle()
        let second = try cluster.devices.makeGroup()
        try cluster["ann"].send("to you", in: second)
        try cluster["bob"].send("and to you", in: second)
        try cluster.settle()
        for device in cluster.all {
            #expect(device.errors.isEmpty)
            #expect(Set(device.texts(in: second)) == ["to you", "and to you"])
        }
    }

    @Test("live events reach connected devices once")
    func live() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 4)
        try cluster.connect("ann", "bob")
        try cluster.connect("bob", "cat")
        try cluster.connect("cat", "ann")
        try cluster.settle()
        for round in 0..<50 {
            try cluster[round % 3].send("live \(round)")
            try cluster.settle(wakes: 1)
        }
        try cluster.settle()
        for device in cluster.all {
            #expect(device.errors.isEmpty)
            #expect(device.texts.count == 50)
            #expect(isCausal(device.delivered))
        }
    }
}
