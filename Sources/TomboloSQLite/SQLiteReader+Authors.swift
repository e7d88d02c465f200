import Foundation
import GRDB
public import TomboloCore

extension SQLiteReader {
    /// The certificates of logs, by the store's numbers for them.
    public func certificates(ofLogs logs: Set<Int64>) throws -> [Int64: Certificate] {
        let statement = try db.cachedStatement(sql: "SELECT * FROM log WHERE reference = ?")
        var found: [Int64: Certificate] = [:]
        for reference in logs.sorted() {
            guard let row = try Row.fetchOne(statement, arguments: [reference]) else { continue }
            found[reference] = try Rows.log(row).certificate
        }
        return found
    }
}
