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
        abstract: "Keeps a group's messages, state and files in sync between devices that are rarely online together.",
        discussion: """
            A device keeps everything in one directory: --data, else $TOMBOLO_DATA, else ~/.tombolo. One process \
            writes to it at a time; commands that only read (log, status, why, export…) work beside it.

            Begin with `tombolo init`, then `tombolo group create NAME`. `tombolo group invite --address HOST:PORT` \
            prints a link. Another device joins with `tombolo group join LINK`, while the inviter runs: \
            `tombolo run --host ADDRESS --port PORT`. Without --host it listens on this machine alone.

            Exit codes: 0 done; 1 damage or a difference found, or not everything was done; 2 wrong input, or the \
            command cannot be carried out.
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
            // Payloads and chunks take 64 KiB each. By default glibc returns that much to the system at every release,
            // and requests it again.
            mallopt(M_TRIM_THRESHOLD, 64 << 20)
            mallopt(M_TOP_PAD, 4 << 20)
        #endif
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = .error
            return handler
        }
        do {
            var command = try parseAsRoot(Texts.separated(from: Array(CommandLine.arguments.dropFirst())))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            // Buffered output is written here, and the disk may be full.
            guard fflush(nil) == 0 else { throw Failure("not all of the output could be written") }
        } catch let code as ExitCode {
            Foundation.exit(code.rawValue)
        } catch  where exitCode(for: error) == .success {
            exit(withError: error)
        } catch {
            let parsing = fullMessage(for: error)
            let text = error is CleanExit || parsing.contains("Usage:") ? parsing : "error: \(clause(of: error))"
            FileHandle.standardError.write(Data((text + "\n").utf8))
            Foundation.exit(2)
        }
    }
}

/// An error in words. Foundation's errors about files describe themselves by a dump of their properties.
private func clause(of error: any Error) -> String {
    error is CocoaError ? "\(TomboloError(error))" : "\(error)"
}

/// Options that every command has.
struct DataOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The device's directory.", valueName: "dir"))
    var data: String?
    @Option(
        name: .long,
        help: ArgumentHelp("A file whose first line is the passphrase of the device's keys.", valueName: "file"))
    var passphraseFile: String?

    var directory: URL {
        let environment = ProcessInfo.processInfo.environment
        if let path = [data, environment["TOMBOLO_DATA"]].compactMap(\.self).first(where: { !$0.isEmpty }) {
            return URL(fileURLWithPath: path, isDirectory: true)
        }
        let home =
            environment["HOME"].flatMap { $0.isEmpty ? nil : URL(fileURLWithPath: $0, isDirectory: true) }
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
    /// - Parameter lock: the lock of the keys, if the user was already asked for it.
    func withNode<Result>(
        lock: PassphraseLock? = nil, _ body: (Node) async throws -> Result
    ) async throws -> Result {
        try checkExists()
        let given: PassphraseLock? = if let lock { lock } else { try await self.lock }
        let node = try await Node.open(at: directory, configuration: .init(lock: given))
        if node.isOlderCopy {
            FileHandle.standardError.write(
                Data(
                    "note: the store was put back or moved: this device writes to new logs, and fetches what it lacks\n"
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

/// An error in a sentence for the user. The exit code is 2.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension StringProtocol {
    /// The text for a terminal, without characters that move the cursor, change colours or begin a line.
    var printable: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
                    // Characters that change the direction of others.
                    case .format where (0x202A...0x2069).contains(scalar.value): "\u{FFFD}"
                    default: scalar
                    }
                }))
    }
}

/// Finds a group by its name or the first digits of its id. Without a name it returns the only group.
func findGroup(_ name: String?, _ node: Node) async throws -> SyncGroup {
    let groups = try await node.groups
    guard let name else {
        guard groups.count == 1, let only = groups.first else {
            throw Failure(
                groups.isEmpty
                    ? "there is no group yet: `tombolo group create NAME` or `tombolo group join LINK`"
                    : "there are \(groups.count) groups: choose one with --group")
        }
        return only
    }
    let found = groups.filter { $0.name == name || $0.id.description.hasPrefix(name) }
    return try theOnly(
        found, orNone: "there is no group \(name): see `tombolo group list`",
        orSeveral: "\(found.count) groups match \(name): use the id")
}

/// The only element.
///
/// - Throws: ``Failure`` with the text `none` or `several`, if there is not exactly one.
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
