import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore

/// Files as an application sends and reads them: real stores, real sockets.
@Suite("Files in a group", .serialized) struct GroupFileTests {
    /// Two devices of a private group; the first listens.
    private struct Pair {
        let a: Node, b: Node
        let mine: SyncGroup, theirs: SyncGroup
        let port: Int

        init(in root: URL, automatic: UInt64 = 0) async throws {
            a = try await Node.open(at: root.appendingPathComponent("a"))
            b = try await Node.open(at: root.appendingPathComponent("b"))
            mine = try await a.createGroup(named: "crew", policy: .private)
            port = try await a.listen()
            theirs = try await b.join(try await mine.invite())
            try await b.setFileLimits(FileLimits(automatic: automatic))
        }

        func close() async throws {
            try await a.close()
            try await b.close()
        }

        /// Sends a file, and finds it on the other device.
        func send(_ url: URL, text: String? = nil) async throws -> FileReader {
            try await mine.send(file: url, saying: text)
            try await sync()
            return try await lastFile(theirs)
        }

        func lastFile(_ group: SyncGroup) async throws -> FileReader {
            let shared = try #require(try await group.entriesWithFiles().last?.content(as: SharedFile.self))
            return group.reader(of: shared.file)
        }

        func sync() async throws { _ = try await b.sync(with: a.device, at: "127.0.0.1:\(port)") }
    }

    private func makeFile(_ bytes: Int, in root: URL, named name: String = "film.bin") throws -> (url: URL, data: Data)
    {
        // Text that stands nowhere else, so that it would be found.
        let data = Data(secret(bytes, bytes: bytes).utf8)
        let url = root.appendingPathComponent(name)
        try data.write(to: url)
        return (url, data)
    }

    @Test(arguments: [0, 1, 65_520, 65_521, 5_000_000])
    func whatIsSentIsReadWholeAndInPartsWhileItIsFetched(size: Int) async throws {
        try await withDirectory { root in
            let pair = try await Pair(in: root)
            let (url, data) = try makeFile(size, in: root)
            let reader = try await pair.send(url, text: "the tide")
            #expect(try await pair.theirs.entriesWithFiles().last?.content(as: SharedFile.self)?.name == "film.bin")
            #expect(try await reader.status.bytesHeld == 0)
            #expect(try await !reader.status.isWanted)
            try await pair.b.connect(to: pair.a.device, at: "127.0.0.1:\(pair.port)")
            let (from, to) = (UInt64(size) * 2 / 3, UInt64(size) * 2 / 3 + 100_000)
            #expect(try await reader.read(from..<to) == data.dropFirst(Int(from)).prefix(100_000))
            try await reader.fetch()
            #expect(try await reader.status.isComplete)
            #expect(try await reader.status.bytesHeld == UInt64(size))
            let place = root.appendingPathComponent("saved")
            try await reader.save(to: place)
            #expect(try Data(contentsOf: place) == data)
            await #expect(throws: TomboloError.self) { try await reader.save(to: place) }
            // Nothing of it stands in either store as it was.
            if size > 1_000 {
                for device in ["a", "b"] {
                    let found = try traces(
                        of: [String(decoding: data, as: UTF8.self)], in: root.appendingPathComponent(device))
                    #expect(found.isEmpty, "\(found)")
                }
            }
            try await pair.close()
            let offline = try await Node.openReadOnly(at: root.appendingPathComponent("b"))
            let group = try #require(try await offline.groups.first)
            #expect(try await pair.lastFile(group).read(0..<UInt64.max) == data)
            try await offline.close()
        }
    }

    @Test func aSyncBringsWhatIsWantedAndWhatIsSmall() async throws {
        try await withDirectory { root in
            let pair = try await Pair(in: root, automatic: 100_000)
            let small = try await pair.send(try makeFile(100_000, in: root, named: "small").url)
            #expect(try await small.status.isComplete)
            let large = try await pair.send(try makeFile(3_000_000, in: root, named: "large").url)
            #expect(try await large.status.bytesHeld == 0)
            try await large.download()
            try await pair.sync()
            #expect(try await large.status.isComplete)
            // Whoever dials waits for what the other side fetches, too.
            try await pair.theirs.send(file: root.appendingPathComponent("large"), named: "back")
            try await pair.sync()
            let back = try await pair.lastFile(pair.mine)
            try await back.download()
            try await pair.sync()
            #expect(try await back.status.isComplete)
            try await pair.close()
        }
    }

    @Test func whatHasRottenOnDiskIsFetchedAgain() async throws {
        try await withDirectory { root in
            let pair = try await Pair(in: root)
            let (url, data) = try makeFile(3_000_000, in: root)
            let reader = try await pair.send(url)
            try await pair.b.connect(to: pair.a.device, at: "127.0.0.1:\(pair.port)")
            try await reader.fetch()
            let file = root.appendingPathComponent("b/files/\(reader.file.id)")
            let handle = try FileHandle(forUpdating: file)
            try handle.seek(toOffset: 20 * 65_536 + 77)
            try handle.write(contentsOf: Data("rot".utf8))
            try handle.close()
            #expect(try await reader.read(0..<UInt64.max) == data)
            #expect(try await reader.status.isComplete)
            // All of it, with what verifies it.
            try Data(count: 47 * 65_536).write(to: file)
            #expect(try await reader.read(0..<UInt64.max) == data)
            try await pair.close()
        }
    }

    @Test func whatIsTakenBackLeavesTheDisk() async throws {
        try await withDirectory { root in
            let pair = try await Pair(in: root, automatic: 1_000_000)
            let reader = try await pair.send(try makeFile(200_000, in: root).url)
            func paths() throws -> [String] {
                try ["a/files", "b/files"].flatMap {
                    try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent($0).path)
                }
            }
            #expect(try paths().count == 2)
            let entry = try #require(try await pair.mine.entriesWithFiles().first)
            try await pair.mine.redact(entry)
            try await pair.sync()
            #expect(try paths().isEmpty)
            #expect(await code { try await reader.fetch() } == .unknownFile)
            try await pair.close()
        }
    }

    @Test func filesSurviveAStoreThatIsMadeAnew() async throws {
        try await withDirectory { root in
            let pair = try await Pair(in: root, automatic: 1_000_000)
            let (url, data) = try makeFile(300_000, in: root)
            _ = try await pair.send(url)
            try await pair.close()
            let home = root.appendingPathComponent("b")
            _ = try await Node.rebuildStore(at: home)
            let b = try await Node.open(at: home)
            let reader = try await pair.lastFile(try #require(try await b.groups.first))
            // Nobody is there to fetch it from.
            try await reader.fetch()
            #expect(try await reader.read(0..<UInt64.max) == data)
            try await b.close()
        }
    }

    @Test func whatNobodyRefersToIsGoneAtTheNextStart() async throws {
        try await withDirectory { root in
            let home = root.appendingPathComponent("a")
            let node = try await Node.open(at: home)
            let group = try await node.createGroup(named: "crew")
            let (url, _) = try makeFile(100_000, in: root)
            let kept = try await group.add(file: url)
            try await group.send(PlainText("look"), files: [kept])
            _ = try await group.add(file: url)
            // What somebody was making, and what the store knows nothing of: lately, and long ago.
            try Data("half a file".utf8).write(to: home.appendingPathComponent("files/new-1"))
            let unknown = try [1, 2].map { try #require(FileID(size: $0, root: .zero)) }
            for (id, age) in zip(unknown, [0, 8 * 86_400] as [Double]) {
                let url = home.appendingPathComponent("files/\(id)")
                try Data("chunks".utf8).write(to: url)
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: url.path)
            }
            try await node.close()
            let again = try await Node.open(at: home)
            let left = try FileManager.default.contentsOfDirectory(atPath: home.appendingPathComponent("files").path)
            #expect(left.sorted() == ["\(kept.id)", "\(unknown[0])"].sorted())
            #expect(try await again.fileBytes == 26 * 4_096)
            try await again.close()
        }
    }

    @Test func badInputIsToldInWords() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root.appendingPathComponent("a"))
            let group = try await node.createGroup(named: "crew")
            for path in [root, root.appendingPathComponent("nothing"), URL(fileURLWithPath: "/dev/null")] {
                await #expect(throws: (any Error).self) { try await group.send(file: path) }
            }
            let quota: UInt64 = 26 * 4_096 - 1
            try await node.setFileLimits(FileLimits(quota: quota))
            let (url, _) = try makeFile(100_000, in: root)
            #expect(await code { try await group.send(file: url) } == .fileQuotaExceeded)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root.path + "/a/files").isEmpty)
            let talk = try await node.createMVDSGroup(named: "talk")
            await #expect(throws: TomboloError.self) { try await talk.send(file: url) }
            #expect(try await group.status.held == 0)
            try await node.close()
        }
    }

    @Test func aNameIsNoWayOutOfAFolderAndAKeyIsInNoLog() throws {
        let id = try #require(FileID(size: 1, root: .zero))
        let key = Data(repeating: 0xab, count: 32).base64EncodedString()
        for (name, expected) in [
            ("../../x", "x"), ("..", "file"), ("a/", "a"), ("", "file"), ("c:\\d", "d"), ("ä b", "ä b"),
        ] {
            let json = try JSONSerialization.data(withJSONObject: ["name": name, "file": ["id": "\(id)", "key": key]])
            let shared = try SharedFile(decodingContent: json, version: 1)
            #expect(shared.name == expected)
            let texts = ["\(shared)", "\(shared.file)", String(reflecting: shared)]
            for text in texts { #expect(!text.contains("q6urq6") && !text.lowercased().contains("abab"), "\(text)") }
        }
    }
}
