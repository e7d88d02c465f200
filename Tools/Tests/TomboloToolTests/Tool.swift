import Foundation
import Testing

/// The command line tool, run as a user runs it.
struct Tool {
    /// The device's directory.
    let directory: URL

    struct Result {
        let status: Int32
        let output: String
        let errors: String
        var lines: [Substring] { output.split(separator: "\n") }
    }

    private static let executable = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appendingPathComponent("tombolo")

    private static func process(_ arguments: [String], directory: URL?) -> Process {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["TOMBOLO_DATA"] = directory?.path
        process.environment = environment
        return process
    }

    /// Starts a process that will not outlive a test run that has hung: it is killed after five minutes.
    private static func launch(_ process: Process) throws {
        try process.run()
        DispatchQueue.global().asyncAfter(deadline: .now() + 300) {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        }
    }

    /// Runs the tool until it ends.
    ///
    /// - Parameters:
    ///   - directory: the device's directory.
    ///   - workingDirectory: the directory that the tool runs in. Git looks for no checkout above it.
    @discardableResult
    static func run(_ arguments: [String], directory: URL? = nil, workingDirectory: URL? = nil) throws -> Result {
        let process = process(arguments, directory: directory)
        if let workingDirectory {
            process.currentDirectoryURL = workingDirectory
            process.environment?["GIT_CEILING_DIRECTORIES"] = workingDirectory.deletingLastPathComponent().path
        }
        // Into files: nothing has to be read while it runs.
        let folder = FileManager.default.temporaryDirectory
        let urls = (0..<2).map { _ in folder.appendingPathComponent("tombolo-tool-\(UUID().uuidString)") }
        for url in urls { _ = FileManager.default.createFile(atPath: url.path, contents: nil) }
        defer { for url in urls { try? FileManager.default.removeItem(at: url) } }
        process.standardOutput = try FileHandle(forWritingTo: urls[0])
        process.standardError = try FileHandle(forWritingTo: urls[1])
        process.standardInput = FileHandle.nullDevice
        try launch(process)
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: try String(contentsOf: urls[0], encoding: .utf8),
            errors: try String(contentsOf: urls[1], encoding: .utf8))
    }

    @discardableResult
    func callAsFunction(_ arguments: String...) throws -> Result { try Self.run(arguments, directory: directory) }

    /// The same, expected to succeed.
    @discardableResult
    func succeed(_ arguments: String...) throws -> Result {
        let result = try Self.run(arguments, directory: directory)
        try #require(result.status == 0, "\(arguments): \(result.errors)")
        return result
    }

    /// `tombolo run` or another command that goes on until it is stopped, once it has said where it listens.
    func start(_ arguments: String...) throws -> Running { try Running(Self.process(arguments, directory: directory)) }

    struct Running {
        private let process: Process
        let port: Int

        fileprivate init(_ process: Process) throws {
            self.process = process
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = FileHandle.nullDevice
            process.standardInput = FileHandle.nullDevice
            try Tool.launch(process)
            var line = Data()
            while let byte = try pipe.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) { line += byte }
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            port = try #require(words.lazy.compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }.first)
        }

        /// As a power cut does, without a chance to say anything.
        func kill() {
            Foundation.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        func stop() {
            process.terminate()
            process.waitUntilExit()
            #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        }
    }
}

/// Two devices that are gone after the test: the first one has a private group, and a link to it that says at which port it will run.
func withInviter<Result>(_ body: (_ ann: Tool, _ ben: Tool, _ link: String, _ port: String) throws -> Result) throws
    -> Result
{
    try withDirectory { root in
        let (ann, ben) = (
            Tool(directory: root.appendingPathComponent("ann")), Tool(directory: root.appendingPathComponent("ben"))
        )
        for tool in [ann, ben] { try tool.succeed("init") }
        try ann.succeed("group", "create", "crew", "--policy", "private")
        let running = try ann.start("run")
        running.stop()
        let link = try ann.succeed("group", "invite", "--address", "127.0.0.1:\(running.port)").lines[0]
        return try body(ann, ben, String(link), "\(running.port)")
    }
}

/// A directory that is gone after the test.
func withDirectory<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("tombolo-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url)
}
