public import Foundation
import GRDB
import Synchronization
public import TomboloCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A device's store on disk: one SQLite database in WAL mode, in a directory that one process writes at a time.
public final class SQLiteStorage: Sendable {
    private struct Opened {
        var pool: DatabasePool
        var cells: SecretCells
        /// The locked file; nil when read-only.
        var lock: Int32?
    }

    /// Where the store is.
    public let directory: URL
    private let isReadOnly: Bool
    private let storeLock: Mutex<(any StoreLock)?>
    /// Nil while suspended, and once closed.
    private let opened: Mutex<Opened?>

    /// The chunks of files.
    public let chunks: ChunkFiles

    /// The database.
    public var path: String { directory.appendingPathComponent(Self.fileName).path }
    /// The database's name within the directory.
    public static let fileName = "tombolo.sqlite"

    /// Opens the store in `directory`, making both if they are not there.
    ///
    /// - Parameters:
    ///   - directory: where the store is, or is to be.
    ///   - isReadOnly: for a second process: does not lock, and fails if there is no store.
    ///   - lock: what the store's secrets are locked by. A store that has none yet, nor a device, is locked by it from then on; of one that
    ///     is not locked it is refused.
    /// - Throws: `StoreError` `busy` if another process writes it, `newer` if a newer version made it, `locked` if it takes another
    ///   lock, `corrupt` or `unavailable` if it cannot be read.
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
                // What is erased is overwritten, not left on free pages or between rows.
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
                // A crash may have come between an erasure and the purge after it.
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

    /// Runs `body`, which writes all secrets anew, in one transaction that is synced to disk; from then on they are read with other cells.
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

    /// Closes the database and lets another process have the directory. Everything fails after that, until ``resume()``.
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

    /// The files hold keys: nobody else reads them.
    private static func protect(_ path: String) throws {
        for file in [path, path + "-wal", path + "-shm"] where FileManager.default.fileExists(atPath: file) {
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        }
    }

    /// - Throws: `busy` if another process has it.
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

    /// Runs `body` in one transaction, which commits when it returns and is rolled back when it throws.
    ///
    /// - Parameters:
    ///   - isDurable: syncs to disk at the commit; else a power cut (not a crash) may lose it.
    ///   - body: what to do with the transaction.
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

    /// Removes files to which nothing refers: who added them was stopped before saying so, or a crash came between a commit and the removal.
    ///
    /// Chunks of which the store knows nothing at all stay for a week: it may be one that was put back, or made anew.
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

    /// Runs `body` on a snapshot, beside the writer.
    public func read<Result>(_ body: (SQLiteReader) throws -> Result) throws(StoreError) -> Result {
        do {
            return try pool.read { db in try body(SQLiteReader(db, try cells)) }
        } catch {
            throw .from(error)
        }
    }

    /// Everything that was committed is synced to disk, and the WAL is moved into the database.
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

    /// Makes what was erased leave the files: the WAL holds pages as they were before.
    ///
    /// - Returns: false if somebody reads an older snapshot: to be tried again.
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

    /// SQLite's own check of its file, and whether what is locked opens. Empty if it is sound.
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

/// The C function, whose name the class has for something else.
func closeFile(_ descriptor: Int32) { _ = close(descriptor) }

extension StoreError {
    static func from(_ error: any Error) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else { return StoreError(.unavailable, "\(error)") }
        switch error.resultCode {
        case .SQLITE_FULL:
            return StoreError(.full, "the disk is full: make room and start again; nothing committed is lost")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return StoreError(
                .corrupt,
                "the database is damaged (\(error.message ?? "no details")): keep a copy of it, put back one that is sound, or "
                    + "begin as a new device and let a peer invite it")
        case .SQLITE_BUSY, .SQLITE_LOCKED: return StoreError(.busy, "another process uses the database")
        default: return StoreError(.unavailable, "the database cannot be used: \(error)")
        }
    }
}
