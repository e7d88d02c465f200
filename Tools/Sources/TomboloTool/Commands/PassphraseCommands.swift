import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Passphrase: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lock the device's keys with a passphrase.",
        discussion: """
            Encrypts the device's keys and the secrets of its private groups. A thief of the files can then neither \
            act as this device nor read its private groups. Contents of open groups, headers, members and peers stay \
            readable in the files.

            From then on every command asks for the passphrase, or takes it from --passphrase-file or \
            $TOMBOLO_PASSPHRASE. A lost passphrase is the end of the device: there is no other way to the keys.
            """,
        subcommands: [Show.self, Set.self, Remove.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print whether the keys are locked.")
        @OptionGroup var options: DataOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try options.checkExists()
            let isLocked = try await Node.isLocked(at: options.directory)
            if json { return try printJSON(["isLocked": isLocked]) }
            print(
                isLocked
                    ? "The keys are locked."
                    : "The keys are not locked: a thief of the files can act as this device. "
                        + "`tombolo passphrase set` locks them."
            )
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lock the keys, or change the passphrase.")
        @OptionGroup var options: DataOptions
        @Option(help: ArgumentHelp("A file whose first line is the new passphrase.", valueName: "file"))
        var newPassphraseFile: String?

        func run() async throws {
            try await options.withNode { node in
                let isPurged = try await node.changeLock(to: try newLock())
                print("The keys are locked. Earlier copies of the device's files are not.")
                if !isPurged {
                    warn(
                        "another process reads the store: the unlocked keys leave its files at the next start"
                    )
                }
                let files = try FileManager.default.contentsOfDirectory(atPath: options.directory.path)
                for file in files.sorted() where file.contains(".sqlite.damaged-") {
                    warn("\(options.directory.appendingPathComponent(file).path) contains the unlocked keys: delete it")
                }
            }
        }

        /// Prints a warning at once, since a later step may fail.
        private func warn(_ text: String) {
            fflush(nil)
            FileHandle.standardError.write(Data("warning: \(text)\n".utf8))
        }

        private func newLock() throws -> PassphraseLock {
            if let newPassphraseFile { return try PassphraseLock(firstLineOf: newPassphraseFile) }
            guard let first = TerminalInput.secret("New passphrase: ") else {
                throw Failure("give the new passphrase with --new-passphrase-file, or at a terminal")
            }
            guard let lock = PassphraseLock(first) else { throw Failure("the passphrase is empty: choose another one") }
            guard TerminalInput.secret("Once more: ") == first else {
                throw Failure("the two passphrases differ: try again")
            }
            return lock
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Unlock the keys: store them without a passphrase.")
        @OptionGroup var options: DataOptions

        func run() async throws {
            guard try await Node.isLocked(at: options.directory) else { throw Failure("the keys are not locked") }
            try await options.withNode { node in
                try await node.changeLock(to: nil)
                print("The keys are not locked any more.")
            }
        }
    }
}

extension DataOptions {
    /// The lock of the device's keys; nil if they are not locked.
    var lock: PassphraseLock? {
        get async throws {
            if let passphraseFile { return try PassphraseLock(firstLineOf: passphraseFile) }
            do {
                guard try await Node.isLocked(at: directory) else { return nil }
            } catch let error as TomboloError where error.code == .storeCorrupt {
                return nil  // opening the store reports the damage
            }
            let given = ProcessInfo.processInfo.environment["TOMBOLO_PASSPHRASE"].flatMap { PassphraseLock($0) }
            if let given { return given }
            guard let typed = TerminalInput.secret("Passphrase: ") else {
                throw Failure(
                    "the keys of this device are locked: give the passphrase with --passphrase-file or $TOMBOLO_PASSPHRASE"
                )
            }
            guard let lock = PassphraseLock(typed) else { throw Failure("no passphrase was given") }
            return lock
        }
    }
}

extension PassphraseLock {
    fileprivate init(firstLineOf path: String) throws {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw Failure("\(path) cannot be read as text")
        }
        guard let lock = PassphraseLock(String(text.prefix { !$0.isNewline })) else {
            throw Failure("the first line of \(path) is empty: write the passphrase there")
        }
        self = lock
    }
}
