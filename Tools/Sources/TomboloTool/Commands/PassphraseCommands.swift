import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Passphrase: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lock the device's keys by a passphrase.",
        discussion: """
            Encrypts the keys of the device, and all that its private groups are sealed under: who has the files alone can neither be this \
            device nor read a private group. What open groups say, headers, members and peers stay readable in the files.

            Every command asks for the passphrase then, or takes it from --passphrase-file or $TOMBOLO_PASSPHRASE. Who forgets it \
            has lost the device: there is no other way to the keys.
            """,
        subcommands: [Show.self, Set.self, Remove.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Say whether the keys are locked.")
        @OptionGroup var options: DataOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try options.checkExists()
            let isLocked = try await Node.isLocked(at: options.directory)
            if json { return try printJSON(["isLocked": isLocked]) }
            print(
                isLocked
                    ? "The keys are locked."
                    : "The keys are not locked: who has the files is this device. `tombolo passphrase set` locks them.")
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lock the keys, or change the passphrase.")
        @OptionGroup var options: DataOptions
        @Option(help: ArgumentHelp("Take the new passphrase from the first line of a file.", valueName: "file"))
        var newPassphraseFile: String?

        func run() async throws {
            try await options.withNode { node in
                let isPurged = try await node.changeLock(to: try newLock())
                print("The keys are locked. Copies that were made of the device's files before are not.")
                if !isPurged {
                    warn(
                        "another process reads the store: what was there before leaves its files when this device is next opened"
                    )
                }
                let files = try FileManager.default.contentsOfDirectory(atPath: options.directory.path)
                for file in files.sorted() where file.contains(".sqlite.damaged-") {
                    warn("\(options.directory.appendingPathComponent(file).path) has the keys as they were: delete it")
                }
            }
        }

        /// Before anything that may yet go wrong.
        private func warn(_ text: String) {
            fflush(nil)
            FileHandle.standardError.write(Data("warning: \(text)\n".utf8))
        }

        private func newLock() throws -> PassphraseLock {
            if let newPassphraseFile { return try PassphraseLock(firstLineOf: newPassphraseFile) }
            guard let first = TerminalInput.secret("New passphrase: ") else {
                throw Failure("give the new passphrase with --new-passphrase-file, or at a terminal")
            }
            guard let lock = PassphraseLock(first) else { throw Failure("an empty passphrase locks nothing") }
            guard TerminalInput.secret("Once more: ") == first else { throw Failure("the two are not the same") }
            return lock
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Keep the keys as they are, without a passphrase.")
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
    /// What the device's keys are locked by; nil if they are not.
    var lock: PassphraseLock? {
        get async throws {
            if let passphraseFile { return try PassphraseLock(firstLineOf: passphraseFile) }
            do {
                guard try await Node.isLocked(at: directory) else { return nil }
            } catch let error as TomboloError where error.code == .storeCorrupt {
                return nil  // it says so when it is opened
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
            throw Failure("the first line of \(path) is empty: that locks nothing")
        }
        self = lock
    }
}
