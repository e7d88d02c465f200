import ArgumentParser
import Foundation
import Logging
import Tombolo
import TomboloCore

#if canImport(CMalloc)
    import CMalloc
#endif

/// The command line.
@main struct TomboloTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tombolo",
        abstract: "Keeps what a group says in sync between devices that are rarely online together.",
        discussion: """
            A device keeps everything in one directory (--data, or $TOMBOLO_DATA, else ~/.tombolo), which one process \
            writes at a time; others can read beside it (log, status, why, export…). Begin with `tombolo init`, then `tombolo group create NAME` on one device, and on another \
            `tombolo group join LINK` with a link that `tombolo group invite --address HOST:PORT` made; the inviter must be running \
            (`tombolo run --host ADDRESS --port PORT`: without --host it listens on this machine alone).

            Exit codes: 0 done, 1 damage or difference found, 2 bad input or something that cannot be done.
            """,
        version: "0.1.0",
        subcommands: [
            Init.self, ID.self, Device.self, Group.self, Member.self, State.self, Send.self, Get.self, File.self,
            Redact.self,
            Log.self, Watch.self,
            Chat.self,
            Peer.self, Sync.self, BundleCommand.self,
            Run.self, Import.self, Export.self, Why.self, Status.self, Verify.self, Recover.self,
            Drill.self, Passphrase.self, Demo.self,
            Simulate.self,
        ])

    static func main() async {
        #if canImport(CMalloc)
            // Payloads and chunks come and go by 64 KiB: glibc gives that much back to the system each time, and asks for it again.
            mallopt(M_TRIM_THRESHOLD, 64 << 20)
            mallopt(M_TOP_PAD, 4 << 20)
        #endif
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = .error
            return handler
        }
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            // What was printed may have met a full disk.
            guard fflush(nil) == 0 else { throw Failure("not everything could be written") }
        } catch let code as ExitCode {
            Foundation.exit(code.rawValue)
        } catch  where exitCode(for: error) == .success {
            exit(withError: error)
        } catch {
            let parsing = fullMessage(for: error)
            let text = error is CleanExit || parsing.contains("Usage:") ? parsing : "error: \(error)"
            FileHandle.standardError.write(Data((text + "\n").utf8))
            Foundation.exit(2)
        }
    }
}

/// Options that every command has.
struct DataOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The device's directory.", valueName: "dir"))
    var data: String?
    @Option(
        name: .long,
        help: ArgumentHelp("Take the passphrase of locked keys from the first line of a file.", valueName: "file"))
    var passphraseFile: String?

    var directory: URL {
        let environment = ProcessInfo.processInfo.environment
        if let path = [data, environment["TOMBOLO_DATA"]].compactMap(\.self).first(where: { !$0.isEmpty }) {
            return URL(fileURLWithPath: path, isDirectory: true)
        }
        let home =
            environment["HOME"].map { URL(fileURLWithPath: $0, isDirectory: true) }
            ?? FileManager.default.homeDirectoryForCurrentUser
        return home.appendingPathComponent(".tombolo", isDirectory: true)
    }

    /// Opens the device for reading, also while another process uses it, and closes it.
    func withReader<Result>(_ body: (Node) async throws -> Result) async throws -> Result {
        try checkExists()
        let node = try await Node.openReadOnly(at: directory, configuration: .init(lock: try await lock))
        do {
            let result = try await body(node)
            try await node.close()
            return result
        } catch {
            try? await node.close()
            throw error
        }
    }

    func checkExists() throws {
        guard FileManager.default.fileExists(atPath: directory.appendingPathComponent("tombolo.sqlite").path) else {
            throw Failure("there is no device in \(directory.path): make one with `tombolo init`")
        }
    }

    /// Runs a command's work, and closes the device whether it succeeds or not.
    ///
    /// - Parameter lock: what the keys are locked by, if that was asked for already.
    func withNode<Result>(
        lock: PassphraseLock? = nil, _ body: (Node) async throws -> Result
    ) async throws -> Result {
        try checkExists()
        let given: PassphraseLock? = if let lock { lock } else { try await self.lock }
        let node = try await Node.open(at: directory, configuration: .init(lock: given))
        if node.isOlderCopy {
            FileHandle.standardError.write(
                Data(
                    "note: this store was put back or moved: the device writes to new logs, and peers bring what it lacks\n"
                        .utf8))
        }
        do {
            let result = try await body(node)
            try await node.close()
            return result
        } catch {
            try? await node.close()
            throw error
        }
    }
}

/// A sentence for the user; the exit code is 2.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension StringProtocol {
    /// What others wrote, for a terminal: no character of it moves the cursor, changes colours or begins a line.
    var printable: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
                    // Letters that turn the direction of others around.
                    case .format where (0x202A...0x2069).contains(scalar.value): "\u{FFFD}"
                    default: scalar
                    }
                }))
    }
}

/// Finds a group by its name or the beginning of its id; without either, the only one.
func findGroup(_ name: String?, _ node: Node) async throws -> SyncGroup {
    let groups = try await node.groups
    guard let name else {
        guard groups.count == 1, let only = groups.first else {
            throw Failure(
                groups.isEmpty
                    ? "there is no group yet: `tombolo group create NAME` or `tombolo group join LINK`"
                    : "there are \(groups.count) groups: say which with --group")
        }
        return only
    }
    let found = groups.filter { $0.name == name || $0.id.description.hasPrefix(name) }
    return try theOnly(
        found, orNone: "there is no group \(name): see `tombolo group list`",
        orSeveral: "\(found.count) groups are called \(name): use the id")
}

/// The only one of what was found.
///
/// - Throws: ``Failure`` with a sentence for where there is none, or for where there are several.
func theOnly<Element>(
    _ found: [Element], orNone none: @autoclosure () -> String, orSeveral several: @autoclosure () -> String
) throws -> Element {
    guard let one = found.first else { throw Failure(none()) }
    guard found.count == 1 else { throw Failure(several()) }
    return one
}

func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
    fflush(nil)
}
