import Foundation

/// Git as the peer to beat at moving a conversation: the same entries, as commits with an empty tree.
///
/// The commits carry the conversation's texts and parents. Git moves them over its own protocol on loopback.
struct GitBaseline {
    /// A fetch, and its cost.
    struct Row {
        /// Bytes on loopback, both ways, with the headers of packets. Nil where the system does not count them.
        let bytes: Int?
        let seconds: Double
    }

    private let lines: [ConversationLine]
    private let behind: Int
    private let directory: URL
    private var source: String { directory.appendingPathComponent("source.git").path }

    /// Measures a fetch of everything, and one of the last `behind` entries, each `runs` times.
    static func measure(
        _ lines: [ConversationLine], behind: Int, runs: Int
    ) async throws -> (whole: [Row], behind: [Row]) {
        try await withScratch { directory in
            let baseline = GitBaseline(lines: lines, behind: behind, directory: directory)
            try await baseline.makeSource()
            let (daemon, address) = try await baseline.startDaemon()
            defer { daemon.terminate() }
            var (whole, last): ([Row], [Row]) = ([], [])
            for run in 0..<runs {
                let empty = try await baseline.makeClone("whole-\(run)")
                whole.append(try await baseline.fetch(into: empty, at: lines.count, from: address))
                let older = try await baseline.makeClone("behind-\(run)")
                _ = try await baseline.fetch(into: older, at: lines.count - behind, from: address)
                last.append(try await baseline.fetch(into: older, at: lines.count, from: address))
            }
            return (whole, last)
        }
    }

    // MARK: The repository to fetch from

    /// Makes a repository with the conversation, and with names for its heads at both lengths.
    private func makeSource() async throws {
        _ = try await git("init", "-q", "--bare", source)
        let stream = directory.appendingPathComponent("stream")
        try importStream().write(to: stream)
        _ = try await git("--git-dir=\(source)", "fast-import", "--quiet", input: stream)
        _ = try await git("--git-dir=\(source)", "update-ref", "-d", "refs/import/x")
        _ = try await git("--git-dir=\(source)", "repack", "-adq", "--window=10")
    }

    /// The conversation in the language of `git fast-import`.
    private func importStream() -> Data {
        var stream = Data()
        var marks: [String: Int] = [:]
        var heads: Set<Int> = []
        var headsAt: [Int: [Int]] = [:]
        for (index, line) in lines.enumerated() {
            let mark = index + 1
            marks[line.id] = mark
            let parents = line.parents.compactMap { marks[$0] }
            let text = Data((line.text.isEmpty ? "-" : line.text).utf8)
            let name = String(line.author.filter { !"<>\n\0".contains($0) })
            let person = "\(name.isEmpty ? "-" : name) <-@-> \(max(0, line.time / 1_000)) +0000"
            // A root starts anew, not from the branch's tip.
            if parents.isEmpty { stream += Data("reset refs/import/x\n\n".utf8) }
            stream += Data("commit refs/import/x\nmark :\(mark)\nauthor \(person)\ncommitter \(person)\n".utf8)
            stream += Data("data \(text.count)\n".utf8) + text + Data("\n".utf8)
            for (place, parent) in parents.enumerated() {
                stream += Data("\(place == 0 ? "from" : "merge") :\(parent)\n".utf8)
            }
            stream += Data("deleteall\n\n".utf8)
            heads.subtract(parents)
            heads.insert(mark)
            if mark == lines.count || mark == lines.count - behind { headsAt[mark] = heads.sorted() }
        }
        for (length, heads) in headsAt.sorted(by: { $0.key < $1.key }) {
            for (number, head) in heads.enumerated() {
                stream += Data("reset refs/at/\(length)/\(number)\nfrom :\(head)\n\n".utf8)
            }
        }
        return stream
    }

    // MARK: Fetching

    /// Starts git's server on a port that is free, and waits until it answers.
    private func startDaemon() async throws -> (Process, address: String) {
        for _ in 0..<20 {
            let port = Int.random(in: 20_000..<60_000)
            let daemon = process([
                "daemon", "--listen=127.0.0.1", "--port=\(port)", "--export-all", "--base-path=\(directory.path)",
                "--reuseaddr",
            ])
            try daemon.run()
            let address = "git://127.0.0.1:\(port)/source.git"
            for _ in 0..<50 where daemon.isRunning {
                if (try? await git("ls-remote", address)) != nil { return (daemon, address) }
                try await Task.sleep(for: .milliseconds(100))
            }
            daemon.terminate()
        }
        throw BenchmarkError("git daemon did not start")
    }

    private func makeClone(_ name: String) async throws -> String {
        let path = directory.appendingPathComponent("\(name).git").path
        _ = try await git("init", "-q", "--bare", path)
        return path
    }

    private func fetch(into path: String, at length: Int, from address: String) async throws -> Row {
        let before = Self.loopbackBytes
        let seconds = try await git(
            "--git-dir=\(path)", "fetch", "--quiet", "--no-tags", address, "refs/at/\(length)/*:refs/at/\(length)/*")
        let after = Self.loopbackBytes
        return Row(bytes: before.flatMap { before in after.map { $0 - before } }, seconds: seconds)
    }

    /// Bytes that the loopback interface has received since the system started.
    private static var loopbackBytes: Int? {
        let table = try? String(contentsOfFile: "/proc/net/dev", encoding: .utf8)
        let row = table?.split(separator: "\n").first { $0.drop { $0 == " " }.hasPrefix("lo:") }
        return row?.split(separator: ":").last?.split(separator: " ").first.flatMap { Int($0) }
    }

    // MARK: Running git

    private func process(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        return process
    }

    /// Runs git, and returns the seconds from before its start until after its end.
    private func git(_ arguments: String..., input: URL? = nil) async throws -> Double {
        let process = process(arguments)
        if let input { process.standardInput = try FileHandle(forReadingFrom: input) }
        let start = ContinuousClock.now
        let end = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { _ in continuation.resume(returning: ContinuousClock.now) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("git \(arguments.joined(separator: " ")) failed")
        }
        return (end - start).inSeconds
    }
}
