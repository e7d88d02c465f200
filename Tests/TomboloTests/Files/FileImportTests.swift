import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloSQLite

@Suite("Files that are sent")
struct FileImportTests {
    @Test("a file that is overwritten in place, with the same size, has another stamp")
    func overwritten() async throws {
        try await withDirectory { root in
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
            let url = root.appendingPathComponent("film.bin")
            try Data(repeating: 1, count: 100).write(to: url)
            let handle = try FileHandle(forReadingFrom: url)
            let before = try #require(FileStamp(of: handle))
            #expect(FileStamp(of: handle) == before)
            _ = try handle.readToEnd()
            #expect(FileStamp(of: handle) == before)
            let writer = try FileHandle(forUpdating: url)
            // A clock of the system counts in ticks, so the first change may fall into that of the creation.
            var count = 0
            while FileStamp(of: handle) == before, count < 1_000_000 {
                try writer.seek(toOffset: 0)
                try writer.write(contentsOf: [2])
                count += 1
            }
            #expect(FileStamp(of: handle) != before)
            try writer.close()
            try handle.close()
        }
    }

    @Test("a symbolic link to a file is sent as the file, and one to a folder is refused")
    func symbolicLinks() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root.appendingPathComponent("a"))
            let group = try await node.createGroup(named: "crew")
            let (file, link) = (root.appendingPathComponent("film.bin"), root.appendingPathComponent("link"))
            try Data("the film".utf8).write(to: file)
            try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
            try await group.send(file: link)
            let shared = try #require(try await group.entriesWithFiles().last?.content(as: SharedFile.self))
            #expect(shared.name == "link" && shared.file.size == 8)
            let folder = root.appendingPathComponent("folder")
            try FileManager.default.createSymbolicLink(at: folder, withDestinationURL: root)
            #expect(await code { try await group.send(file: folder) } == .fileUnusable)
            try await node.close()
        }
    }
}
