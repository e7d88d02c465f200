/// The numbers for log ids of both directions of a group session (protocol 5.1-1).
struct LogTables: Sendable {
    var outgoing = LogTable()
    var incoming = LogTable()
}
