public import Foundation
import GRDB
import Synchronization
public import TomboloCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The durable store of a device: one SQLite database in WAL mode, in a directory that one process at a time may write.
public final class SQLiteStorage: Sendable {
    private struct Opened {
        var pool: DatabasePool
        var cells: SecretCells
        /// The descriptor of the locked file; nil if read-only.
        var lock: Int32?
    }

    /// The directory of the store.
    public let directory: URL
    private let isReadOnly: Bool
    private let storeLock: Mutex<(any StoreLock)?>
    /// The open database; nil while the store is suspended or closed.
    private let opened: Mutex<Opened?>

    /// The chunks of files.
    public let chunks: ChunkFiles

    /// The path of the database.
    public var path: String { directory.appendingPathComponent(Self.fileName).path }
    /// The name of the database within the directory.
    public static let fileName = "tombolo.sqlite"

    /// Opens the store in `directory`. Both are created if they do not exist.
    ///
    /// - Parameters:
    ///   - directory: the directory of the store.
    ///   - isReadOnly: true for a second process. It takes no lock on the directory, and fails if there is no store.
    ///   - lock: the lock of the store's secrets. A store with neither a lock nor a device is locked by it from then
    ///     on. A store with a device and no lock refuses it.
    /// - Throws: `StoreError` `busy` if another process writes the store, `newer` if a newer version created it, or
    ///   `locked` if it needs another lock. A store that cannot be read throws `corrupt` or `unavailable`.
    public init(directory: URL, isReadOnly: Bool = false, lock: (any StoreLock)? = nil) throws(StoreError) {
        self.directory = directory
        self.isReadOnly = isReadOnly
        storeLock = Mutex(lock)
        chunks = ChunkFiles(directory: directory.appendingPathComponent("files"), isReadOnly: isReadOnly)
        opened = Mutex(try Self.openStore(directory, isReadOnly: isReadOnly, lock))
        if let lock, !isReadOnly, try !cells.isLocked { _ = try relock(with: lock) }
    }

    private static func openStore(
        _ directory: URL, isReadOnly: Bool, _ storeLock: (any StoreLock)?
    ) throws(StoreError) -> Opened {
        let path = directory.appendingPathComponent(Self.fileName).path
        var lock: Int32?
        do {
            if !isReadOnly {
                try FileManager.default.createDirectory(
                    at: directory, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
                lock = try Self.lock(directory)
            } else if !FileManager.default.fileExists(atPath: path) {
                throw StoreError(.unavailable, "there is no store in \(directory.path)")
            }
            var configuration = Configuration()
            configuration.readonly = isReadOnly
            configuration.busyMode = .timeout(Double(busySeconds))
            configuration.maximumReaderCount = 4
            configuration.prepareDatabase { db in
                guard !isReadOnly else { return }
                try db.execute(sql: "PRAGMA synchronous = NORMAL")
                // Erased data is overwritten. It must not stay on free pages or between rows.
                try db.execute(sql: "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY")
                try db.execute(sql: "PRAGMA wal_autocheckpoint = 16000; PRAGMA cache_size = -32000")
            }
            let pool = try DatabasePool(path: path, configuration: configuration)
            let migrator = Schema.migrator
            if try pool.read(migrator.hasBeenSuperseded) {
                throw StoreError(
                    .newer, "a newer version of Tombolo made the store in \(directory.path): update this one")
            }
            if !isReadOnly {
                try protect(path)
                try migrator.migrate(pool)
                // The process may have crashed after an erasure and before its purge.
                _ = try pool.writeWithoutTransaction(purge)
            }
            return Opened(pool: pool, cells: try pool.read { try SecretCells(of: $0, storeLock) }, lock: lock)
        } catch {
            if let lock { closeFile(lock) }
            throw .from(error)
        }
    }

    deinit {
        if let lock = opened.withLock({ $0?.lock }) { closeFile(lock) }
    }

    var pool: DatabasePool {
        get throws(StoreError) {
            guard let pool = opened.withLock({ $0?.pool }) else {
                throw StoreError(.unavailable, "the store in \(directory.path) is closed or suspended")
            }
            return pool
        }
    }

    var cells: SecretCells {
        get throws(StoreError) {
            guard let cells = opened.withLock({ $0?.cells }) else {
                throw StoreError(.unavailable, "the store in \(directory.path) is closed or suspended")
            }
            return cells
        }
    }

    /// Runs `body`, which writes all secrets again, in one transaction that is synced to disk. Afterwards the secrets
    /// are read with the new cells.
    func exchangeCells(
        for new: SecretCells, _ lock: (any StoreLock)?, _ body: (Database, SecretCells) throws -> Void
    ) throws(StoreError) {
        do {
            try pool.barrierWriteWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
                let old = try cells
                try db.inTransaction(.immediate) {
                    try body(db, old)
                    return .commit
                }
                opened.withLock { $0?.cells = new }
                storeLock.withLock { $0 = lock }
            }
        } catch {
            throw .from(error)
        }
    }

    /// Closes the database and releases the directory to other processes. Every other call fails until ``resume()``.
    public func close() throws(StoreError) {
        let opened = opened.withLock { opened in
            defer { opened = nil }
            return opened
        }
        guard let opened else { return }
        chunks.close()
        defer {
            if let lock = opened.lock { closeFile(lock) }
        }
        do { try opened.pool.close() } catch { throw .from(error) }
    }

    /// Opens the store again after ``close()``.
    public func resume() throws(StoreError) {
        guard opened.withLock({ $0 == nil }) else { return }
        let again = try Self.openStore(directory, isReadOnly: isReadOnly, storeLock.withLock { $0 })
        opened.withLock { $0 = again }
    }

    /// Restricts the files to their owner, because they hold keys.
    private static func protect(_ path: String) throws {
        for file in [path, path + "-wal", path + "-shm"] where FileManager.default.fileExists(atPath: file) {
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        }
    }

    /// - Throws: `busy` if another process holds the lock.
    static func lock(_ directory: URL) throws(StoreError) -> Int32 {
        let path = directory.appendingPathComponent("lock").path
        let file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StoreError(.unavailable, "\(directory.path) cannot be written") }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            closeFile(file)
            throw StoreError(
                .busy, "another process uses \(directory.path): stop it first, or choose another directory")
        }
        return file
    }

    /// Runs `body` in one transaction. It commits when `body` returns and rolls back when `body` throws.
    ///
    /// - Parameters:
    ///   - isDurable: true to sync to disk at the commit. Otherwise a power cut, but no crash, may lose the
    ///     transaction.
    ///   - body: the work to do in the transaction.
    public func write<Result>(isDurable: Bool, _ body: (any EventStore) throws -> Result) throws(StoreError) -> Result {
        do {
            return try pool.writeWithoutTransaction { db in
                try db.execute(sql: isDurable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
                var result: Result?
                let transaction = SQLiteTransaction(db, chunks, try cells)
                try db.inTransaction(.immediate) {
                    result = try body(transaction)
                    return .commit
                }
                for file in transaction.removedFiles { chunks.remove(file) }
                guard let result else { throw StoreError(.unavailable, "the transaction did not run") }
                return result
            }
        } catch {
            throw .from(error)
        }
    }

    /// Removes files to which no event refers. A process may have been stopped before it stored the reference, or
    /// between a commit and the removal.
    ///
    /// Chunks of files unknown to the store stay for a week, because the store may be an older copy or a new one.
    public func sweepFiles() throws(StoreError) {
        do {
            try pool.writeWithoutTransaction { db in
                let transaction = SQLiteTransaction(db, chunks, try cells)
                try db.inTransaction(.immediate) {
                    for file in try transaction.unreferencedFiles() { try transaction.removeFile(file) }
                    return .commit
                }
                for file in transaction.removedFiles { chunks.remove(file) }
                try chunks.sweep { file in try FileRows.file(file, db) != nil }
            }
        } catch {
            throw .from(error)
        }
    }

    /// Runs `body` on a snapshot, concurrently with the writer.
    public func read<Result>(_ body: (SQLiteReader) throws -> Result) throws(StoreError) -> Result {
        do {
            return try pool.read { db in try body(SQLiteReader(db, try cells)) }
        } catch {
            throw .from(error)
        }
    }

    /// Syncs all committed data to disk and moves the WAL into the database.
    public func synchronize() throws(StoreError) {
        do {
            try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
                _ = try db.checkpoint(.truncate)
            }
        } catch {
            throw .from(error)
        }
    }

    /// Removes erased data from the files. The WAL still holds pages from before the erasure.
    ///
    /// - Returns: false if a reader uses an older snapshot. Then call it again later.
    public func purge() throws(StoreError) -> Bool {
        do {
            return try pool.writeWithoutTransaction(Self.purge)
        } catch {
            throw .from(error)
        }
    }

    private static func purge(_ db: Database) throws -> Bool {
        try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA busy_timeout = 0")
        defer { try? db.execute(sql: "PRAGMA busy_timeout = \(busySeconds * 1_000)") }
        do {
            _ = try db.checkpoint(.truncate)
            return true
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            return false
        }
    }

    private static let busySeconds = 5

    /// The problems that SQLite finds in its file, or the secrets that cannot be decrypted. Empty if the store is
    /// sound.
    public func integrityProblems() throws(StoreError) -> [String] {
        do {
            return try pool.read { db in
                let problems = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter { $0 != "ok" }
                return problems.isEmpty ? try unopenedSecrets(db) : problems
            }
        } catch {
            throw .from(error)
        }
    }
}

/// Calls the C function `close`. Inside the class that name means another method.
func closeFile(_ descriptor: Int32) { _ = close(descriptor) }

extension StoreError {
    static func from(_ error: any Error) -> StoreError {
        if let error = error as? StoreError { return error }
        if let error = error as? CocoaError { return StoreError(.unavailable, error.clause) }
        guard let error = error as? DatabaseError else { return StoreError(.unavailable, "\(error)") }
        switch error.resultCode {
        case .SQLITE_FULL:
            return StoreError(.full, "the disk is full: make room and start again; nothing committed is lost")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return StoreError(
                .corrupt,
                "the database is damaged (\(error.message ?? "no details")): keep a copy and rebuild the store, "
                    + "restore a sound copy, or make a new device and let a peer invite it")
        case .SQLITE_BUSY, .SQLITE_LOCKED: return StoreError(.busy, "another process uses the database")
        default: return StoreError(.unavailable, "the database cannot be used: \(error)")
        }
    }
}
