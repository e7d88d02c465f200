import CoreMetrics
import Foundation
import MetricsTestKit
import TestSupport
import Testing
import Tombolo
import TomboloTesting

@Suite("Metrics", .serialized)
struct MetricsTests {
    @Test("a meeting is counted, with its bytes and that both agreed")
    func counted() async throws {
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            _ = try await b.join(try await crew.invite())
            try await b.close()
            try await a.close()
        }
        #expect(try metrics.expectCounter("tombolo.agreements").totalValue >= 1)
        #expect(try metrics.expectCounter("tombolo.reconciliations", [("strategy", "equal")]).totalValue >= 1)
        #expect(try metrics.expectCounter("tombolo.payload.sent.bytes").totalValue > 100)
        #expect(try !metrics.expectTimer("tombolo.batch.duration").values.isEmpty)
    }
}
