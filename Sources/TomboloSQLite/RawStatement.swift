import GRDB
import GRDBSQLite
import TomboloCore

/// A prepared statement of GRDB that calls SQLite directly. GRDB's own binding and reading allocate memory for each
/// column.
struct RawStatement {
    private let statement: Statement
    private var pointer: OpaquePointer { statement.sqliteStatement }

    init(_ statement: Statement) {
        self.statement = statement
        sqlite3_reset(statement.sqliteStatement)
    }

    private func check(_ code: Int32) throws {
        guard code == SQLITE_OK else { throw failure(code) }
    }

    private func failure(_ code: Int32) -> DatabaseError {
        let message = sqlite3_errmsg(sqlite3_db_handle(pointer)).map { String(cString: $0) }
        return DatabaseError(resultCode: ResultCode(rawValue: code), message: message, sql: statement.sql)
    }

    // MARK: Binding

    /// Binds integers, beginning with the first parameter.
    func bind(_ values: Int64...) throws {
        for (index, value) in values.enumerated() { try check(sqlite3_bind_int64(pointer, Int32(index + 1), value)) }
    }

    /// Runs the statement to its end, with these values as its parameters from `index` on. SQLite reads the bytes in
    /// place.
    func execute(
        binding name: Bytes32, _ one: Bytes, _ two: Bytes?, _ three: Bytes?, _ four: Bytes?, from index: Int32
    ) throws {
        try name.withBytes { name in
            try one.withUnsafeBytes { one in
                try two.withBytesIfAny { two in
                    try three.withBytesIfAny { three in
                        try four.withBytesIfAny { four in
                            defer { sqlite3_clear_bindings(pointer) }
                            try bind(name, at: index)
                            try bind(one, at: index + 1)
                            try bind(two, at: index + 2)
                            try bind(three, at: index + 3)
                            try bind(four, at: index + 4)
                            try execute()
                        }
                    }
                }
            }
        }
    }

    private func bind(_ bytes: UnsafeRawBufferPointer?, at index: Int32) throws {
        guard let bytes else { return try check(sqlite3_bind_null(pointer, index)) }
        guard let base = bytes.baseAddress, !bytes.isEmpty else {
            return try check(sqlite3_bind_zeroblob(pointer, index, 0))
        }
        try check(sqlite3_bind_blob(pointer, index, base, Int32(bytes.count), nil))
    }

    // MARK: Running

    func execute() throws {
        let code = sqlite3_step(pointer)
        sqlite3_reset(pointer)
        guard code == SQLITE_DONE else { throw failure(code) }
    }

    /// Moves to the next row; false after the last one.
    func step() throws -> Bool {
        switch sqlite3_step(pointer) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            sqlite3_reset(pointer)
            throw failure(code)
        }
    }

    func reset() { sqlite3_reset(pointer) }

    // MARK: Reading

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(pointer, column) }

    func name(_ column: Int32) -> Bytes32? { blob(column).flatMap { $0.count == 32 ? Bytes32(loading: $0) : nil } }

    private func blob(_ column: Int32) -> UnsafeRawBufferPointer? {
        guard sqlite3_column_type(pointer, column) == SQLITE_BLOB else { return nil }
        return UnsafeRawBufferPointer(
            start: sqlite3_column_blob(pointer, column), count: Int(sqlite3_column_bytes(pointer, column)))
    }

    /// The event header in the current row. The columns are ordinal, id, header, and whether a signature and the
    /// content exist.
    func header() throws -> StoredHeader {
        let ordinal = integer(0)
        guard let id = name(1), let bytes = blob(2) else {
            throw StoreError(.corrupt, "the row of event number \(ordinal) is damaged")
        }
        do {
            return StoredHeader(
                ordinal: ordinal, id: EventID(id), header: try EventHeader(decoding: Array(bytes)[...]),
                isSigned: integer(3) != 0, hasContent: integer(4) != 0)
        } catch {
            throw StoreError(.corrupt, "the row of event \(id) is damaged (\(error))")
        }
    }

    /// The event in the current row of `SELECT * FROM event`. Its four byte columns share one allocation.
    func event() throws -> StoredEvent {
        let ordinal = integer(0)
        guard let id = name(8), let status = EventStatus(rawValue: UInt8(clamping: integer(6))),
            let headerBlob = blob(9)
        else { throw StoreError(.corrupt, "the row of event number \(ordinal) is damaged") }
        let (salt, signature, content) = (blob(10), blob(11), blob(12))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            headerBlob.count + (salt?.count ?? 0) + (signature?.count ?? 0) + (content?.count ?? 0))
        var ends = (header: 0, salt: 0, signature: 0)
        bytes.append(contentsOf: headerBlob)
        ends.header = bytes.count
        if let salt { bytes.append(contentsOf: salt) }
        ends.salt = bytes.count
        if let signature { bytes.append(contentsOf: signature) }
        ends.signature = bytes.count
        if let content { bytes.append(contentsOf: content) }
        let header = bytes[..<ends.header]
        do {
            return StoredEvent(
                ordinal: ordinal, log: integer(2), status: status,
                event: Event(
                    id: EventID(id), timestamp: integer(7), header: try EventHeader(decoding: header),
                    headerBytes: header, content: content.map { _ in bytes[ends.signature...] },
                    salt: salt.map { _ in bytes[ends.header..<ends.salt] },
                    signature: signature.map { _ in bytes[ends.salt..<ends.signature] }))
        } catch {
            throw StoreError(.corrupt, "the row of event \(id) is damaged (\(error))")
        }
    }
}

extension Optional where Wrapped == Bytes {
    fileprivate func withBytesIfAny<Result>(
        _ body: (UnsafeRawBufferPointer?) throws -> Result
    ) rethrows -> Result {
        guard let bytes = self else { return try body(nil) }
        return try bytes.withUnsafeBytes { try body($0) }
    }
}
