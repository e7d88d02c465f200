import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloImport

@Suite("Devices that are killed")
struct CrashTests {
    /// What a store holds, after everything in it has been verified.
    private func verified(_ directory: URL) async throws -> (held: Set<EventID>, digest: String) {
        let node = try await Node.open(at: directory)
        let group = try #require(try await node.groups.first)
        #expect(try await group.verify().isEmpty)
        let held = Set(
            try await group.changes(after: .start, including: .everything, limit: .max).compactMap(\.entryID))
        let digest = try await group.digest
        try await node.close()
        return (held, digest)
    }

    @Test("SIGKILL of either side at random instants of a sync loses nothing, and the next sync completes")
    func kills() async throws {
        try await withDirectory { root in
            let (a, b) = (root.appendingPathComponent("a"), root.appendingPathComponent("b"))
            var key = ""
            do {
                let (nodeA, nodeB) = (try await Node.open(at: a), try await Node.open(at: b))
                let crew = try await nodeA.createGroup(named: "crew")
                try await nodeA.listen()
                _ = try await nodeB.join(try await crew.invite())
                var builder = ConversationBuilder(group: crew.id)
                _ = try await crew.ingest(
                    try (0..<3_000).map { number in
                        try builder.add(
                            id: "\(number)", parents: number >= 7 ? ["\(number - 7)"] : [], author: "a\(number % 7)",
                            time: Int64(number), text: "event \(number) \(String(repeating: "x", count: 200))")
                    })
                key = "\(nodeA.device)"
                try await nodeB.close()
                try await nodeA.close()
            }
            let seed: UInt64 = 20_261_123
            var state = seed
            var held: Set<EventID> = []
            for round in 0..<8 {
                let server = try CrashTestProcess.start(["serve", a.path])
                let port = try CrashTestProcess.line(server.output)
                let client = try CrashTestProcess.start(["fetch", b.path, key, port])
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Not to wait for anything: the instant of the kill is what is drawn.
                usleep(useconds_t(state >> 33) % 1_200_000)
                let victim = round.isMultiple(of: 2) ? client.process : server.process
                kill(victim.processIdentifier, SIGKILL)
                victim.waitUntilExit()
                kill(server.process.processIdentifier, SIGKILL)
                client.process.waitUntilExit()
                server.process.waitUntilExit()
                let after = try await verified(b)
                #expect(held.isSubset(of: after.held), "seed \(seed), round \(round): something is missing")
                held = after.held
                _ = try await verified(a)
            }
            let (nodeA, nodeB) = (try await Node.open(at: a), try await Node.open(at: b))
            let port = try await nodeA.listen()
            let report = try await nodeB.sync(with: nodeA.device, at: "127.0.0.1:\(port)")
            #expect(report.isComplete)
            #expect(try await nodeA.groups.first?.digest == nodeB.groups.first?.digest)
            #expect(try await nodeB.groups.first?.status.delivered == 3_000)
            try await nodeB.close()
            try await nodeA.close()
        }
    }
}
