#if os(Linux)
    import Foundation
    import TestSupport
    import Testing
    import Tombolo
    import TomboloCore
    import TomboloImport

    /// A file system of a given size in memory. Needs root.
    private struct SmallDisk {
        let url: URL

        static var isPossible: Bool { getuid() == 0 && run(["mountpoint", "-q", "/"]) }

        init(at url: URL, size: String) throws {
            self.url = url
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
            try #require(Self.run(["mount", "-t", "tmpfs", "-o", "size=\(size)", "tombolo-test", url.path]))
        }

        func grow(to size: String) throws { try #require(Self.run(["mount", "-o", "remount,size=\(size)", url.path])) }
        func unmount() { _ = Self.run(["umount", "-l", url.path]) }

        @discardableResult
        static func run(_ command: [String]) -> Bool {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = command
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
    }

    @Suite("A disk that is full", .enabled(if: SmallDisk.isPossible, "mounting needs root"))
    struct FullDiskTests {
        @Test(
            "the replica stops with an error that says what to do, nothing that was said is lost, and it goes on later")
        func writing() async throws {
            try await withDirectory { root in
                let disk = try SmallDisk(at: root.appendingPathComponent("disk"), size: "2m")
                defer { disk.unmount() }
                let node = try await Node.open(at: disk.url.appendingPathComponent("a"))
                let group = try await node.createGroup(named: "notes")
                var said: [EventID] = []
                let error = await #expect(throws: TomboloError.self) {
                    while said.count < 10_000 {
                        said.append(try await group.send(PlainText(String(repeating: "z", count: 4_000))))
                    }
                }
                #expect(error?.code == .storeFull, "\(error.map(String.init(describing:)) ?? "none")")
                #expect(said.count > 10)
                // It has stopped: nothing more is taken until it is opened again.
                await #expect(throws: TomboloError.self) { try await group.send(PlainText("more")) }
                try? await node.close()
                try disk.grow(to: "64m")
                let again = try await Node.open(at: disk.url.appendingPathComponent("a"))
                let kept = try #require(try await again.groups.first)
                #expect(try await kept.verify().isEmpty)
                #expect(try await kept.changes(after: .start, limit: .max).map(\.entryID) == said)
                said.append(try await kept.send(PlainText("there is room again")))
                try await again.close()
            }
        }

        @Test("a receiver whose disk fills up keeps what it committed and gets the rest when there is room")
        func receiving() async throws {
            try await withDirectory { root in
                let disk = try SmallDisk(at: root.appendingPathComponent("disk"), size: "3m")
                defer { disk.unmount() }
                let a = try await Node.open(at: root.appendingPathComponent("a"))
                let crew = try await a.createGroup(named: "crew")
                try await a.listen()
                let b = try await Node.open(at: disk.url.appendingPathComponent("b"))
                _ = try await b.join(try await crew.invite())
                var builder = ConversationBuilder(group: crew.id)
                for batch in 0..<8 {
                    _ = try await crew.ingest(
                        try (0..<500).map {
                            try builder.add(
                                id: "\(batch)/\($0)", parents: [], author: "a\($0 % 9)", time: 1,
                                text: String(repeating: "y", count: 2_000))
                        })
                }
                let address = try #require(try await b.peers.first?.addresses.first)
                await #expect(throws: (any Error).self) { _ = try await b.sync(with: a.device, at: address) }
                try? await b.close()
                try disk.grow(to: "256m")
                let again = try await Node.open(at: disk.url.appendingPathComponent("b"))
                let kept = try #require(try await again.groups.first)
                #expect(try await kept.verify().isEmpty)
                let report = try await again.sync(with: a.device, at: address)
                #expect(report.isComplete)
                #expect(try await kept.digest == crew.digest)
                try await again.close()
                try await a.close()
            }
        }
    }
#endif
