import Foundation
import TomboloCore
import TomboloSQLite

/// The state in which a start of the device finds its store.
struct StoreStart {
    /// Tells whether a power cut may have erased received events (law 1).
    var mayHaveLost = false
    /// Tells whether the store is an older copy that was put back, or was moved here. It may lack events that the
    /// device has written since, so the device must not continue its logs.
    var isOlderCopy = false

    private enum Keys {
        static let boot = "boot", clean = "clean", token = "token", tokenBefore = "token-before", file = "file"
    }

    /// Creates the state of a store to which nothing happened since this process had it open.
    init() {}

    /// Examines the store and notes this start.
    ///
    /// A copy is detected in two ways. The database records the identity of its file, and a copy is another file.
    /// Random bytes, the token, are drawn at every start and every clean stop. They are stored in the database and in a
    /// file *outside* of the store's directory, which a backup of the directory does not restore.
    init(in storage: SQLiteStorage) throws {
        let file = storage.fileIdentity
        let token = Self.readToken(of: storage)
        try storage.write(isDurable: true) { store in
            let boot = BootIdentity.current
            let (lastBoot, wasClean) = (try store.value(forKey: Keys.boot), try store.value(forKey: Keys.clean))
            mayHaveLost = lastBoot != nil && lastBoot != boot && wasClean == nil
            try store.setValue(boot, forKey: Keys.boot)
            try store.setValue(nil, forKey: Keys.clean)
            if let known = try store.value(forKey: Keys.file), let file { isOlderCopy = known != file }
            try store.setValue(file, forKey: Keys.file)
            // The previous token counts as well: a crash may have occurred between the two writes.
            let tokens = [try store.value(forKey: Keys.token), try store.value(forKey: Keys.tokenBefore)]
            if tokens[0] != nil, token == nil || !tokens.contains(token) { isOlderCopy = true }
        }
        try Self.renewToken(of: storage)
    }

    /// Notes a clean stop: everything is on disk.
    static func noteStop(_ storage: SQLiteStorage) throws {
        try storage.write(isDurable: true) { try $0.setValue([1], forKey: Keys.clean) }
        try renewToken(of: storage)
        try storage.synchronize()
    }

    private static func renewToken(of storage: SQLiteStorage) throws {
        var generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
        let token = [UInt8].random(16, using: &generator)
        try storage.write(isDurable: true) { store in
            try store.setValue(try store.value(forKey: Keys.token), forKey: Keys.tokenBefore)
            try store.setValue(token, forKey: Keys.token)
        }
        do {
            var file = tokenFile(of: storage)
            try Data(token).write(to: file, options: .atomic)
            var values = URLResourceValues()
            values.isExcludedFromBackup = true
            try? file.setResourceValues(values)
        } catch {
            // The process may not write beside the directory. Only the file's identity is checked then.
            try storage.write(isDurable: true) { try $0.setValue(nil, forKey: Keys.token) }
        }
    }

    private static func readToken(of storage: SQLiteStorage) -> [UInt8]? {
        (try? Data(contentsOf: tokenFile(of: storage))).map(Array.init)
    }

    /// The file of the token: beside the store's directory, not in it.
    private static func tokenFile(of storage: SQLiteStorage) -> URL {
        let directory = storage.directory.standardizedFileURL
        return directory.deletingLastPathComponent().appendingPathComponent(".\(directory.lastPathComponent).token")
    }
}
