import Foundation
import Synchronization
import Testing

@Suite("Files, on the command line") struct FileStoryTests {
    private struct Row: Decodable {
        let event: String
        let name: String?
        let size: UInt64
        let held: UInt64
        let isComplete: Bool
    }

    private func row(_ tool: Tool) throws -> Row {
        let lines = try tool.succeed("file", "list", "--json").lines
        return try JSONDecoder().decode(Row.self, from: Data(try #require(lines.last).utf8))
    }

    /// Bytes on the disk of the files that are here, of which chunks that are missing are holes.
    private func kept(_ tool: Tool) throws -> Int {
        let folder = tool.directory.appendingPathComponent("files")
        let places = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return try places.reduce(0) {
            $0 + (try $1.resourceValues(forKeys: [.totalFileAllocatedSizeKey]).totalFileAllocatedSize ?? 0)
        }
    }

    /// A command that runs beside the test.
    private final class Background: Sendable {
        private let thread: DispatchGroup
        private let result = Mutex<Result<Tool.Result, any Error>?>(nil)

        init(_ tool: Tool, _ arguments: [String]) {
            thread = DispatchGroup()
            thread.enter()
            let directory = tool.directory
            Thread.detachNewThread { [self] in
                let made = Result { try Tool.run(arguments, directory: directory) }
                result.withLock { $0 = made }
                thread.leave()
            }
        }

        func wait() throws -> Tool.Result? {
            thread.wait()
            return try result.withLock { try $0?.get() }
        }

        var isDone: Bool { result.withLock { $0 != nil } }
    }

    @Test("a large file from two devices, of which one is killed half way, and then one of which has rotted")
    func twoSources() throws {
        try withDirectory { root in
            let devices = ["a", "b", "c"].map { Tool(directory: root.appendingPathComponent($0)) }
            let (a, b, c) = (devices[0], devices[1], devices[2])
            for device in devices {
                try device.succeed("init")
                try device.succeed("file", "limit", "--automatic", "0")
            }
            try a.succeed("group", "create", "crew", "--policy", "private")
            var generator = SystemRandomNumberGenerator()
            let words = (0..<(96 << 17)).map { _ in generator.next() }
            let film = root.appendingPathComponent("film.bin")
            let data = words.withUnsafeBytes { Data($0) }
            try data.write(to: film)
            let sent = try a.succeed("send", "--file", film.path, "the tide").lines[0].prefix(8)
            var first = try a.start("run")
            let links = try (0..<2).map { _ in
                first.stop()
                let link = try a.succeed("group", "invite", "--address", "127.0.0.1:\(first.port)").lines[0]
                first = try a.start("run", "--port", "\(first.port)")
                return String(link)
            }
            try b.succeed("group", "join", links[0])
            try c.succeed("group", "join", links[1])
            let saved = root.appendingPathComponent("b.bin")
            #expect(try b.succeed("get", String(sent), "--to", saved.path).output == saved.path + "\n")
            #expect(try Data(contentsOf: saved) == data)
            #expect(try b.succeed("log").output.contains("(file film.bin, 100.7 MB) the tide"))
            // From here on both have it.
            var second = try b.start("run")
            second.stop()
            let key = try b.succeed("id", "--json").output
            let peer = try #require(key.firstMatch(of: #/"device":"([0-9a-f]{64})"/#)?.1)
            try c.succeed("peer", "add", String(peer), "127.0.0.1:\(second.port)")
            second = try b.start("run", "--port", "\(second.port)")
            let place = root.appendingPathComponent("c.bin")
            let getting = Background(c, ["get", String(sent), "--to", place.path])
            // Looked at without a process of its own, which might take longer than the whole file.
            while try !getting.isDone && kept(c) < data.count / 8 {}
            first.kill()
            let before = try kept(c)
            let got = try #require(try getting.wait())
            #expect(got.status == 0, "\(got.errors)")
            #expect(before < data.count, "it was over before one was killed")
            #expect(try Data(contentsOf: place) == data)
            // A bit of every tenth piece has turned on the second device's disk.
            let folder = b.directory.appendingPathComponent("files")
            let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder.path).first)
            let handle = try FileHandle(forUpdating: folder.appendingPathComponent(name))
            for position in stride(from: UInt64(5), to: 1_500, by: 10) {
                try handle.seek(toOffset: position * 65_536 + 1_000)
                let byte = try #require(try handle.read(upToCount: 1)?.first)
                try handle.seek(toOffset: position * 65_536 + 1_000)
                try handle.write(contentsOf: Data([byte ^ 16]))
            }
            try handle.close()
            first = try a.start("run", "--port", "\(first.port)")
            try c.succeed("file", "drop", String(sent))
            #expect(try row(c).held == 0)
            try FileManager.default.removeItem(at: place)
            try c.succeed("get", String(sent), "--to", place.path)
            #expect(try Data(contentsOf: place) == data)
            first.stop()
            second.stop()
            // Nobody is there, and nothing is asked for.
            let folderOfMine = root.appendingPathComponent("mine")
            try FileManager.default.createDirectory(at: folderOfMine, withIntermediateDirectories: true)
            #expect(try c.succeed("get", String(sent), "--to", folderOfMine.path).output.hasSuffix("/mine/film.bin\n"))
            try c.succeed("file", "drop", String(sent))
            let alone = try c("get", String(sent), "--to", "-", "--timeout", "1")
            #expect(alone.status == 1 && alone.output.isEmpty && alone.errors.contains("0 bytes of 100.7 MB are here"))
        }
    }
}
