/// The files of a store in memory.
struct MemoryFiles {
    fileprivate var records: [FileID: FileRecord] = [:]
    fileprivate var chunks: [FileID: [Int: [UInt8]]] = [:]
    /// For each file: the events that refer to it, with their groups.
    fileprivate var references: [FileID: [Int64: Int64]] = [:]

    mutating func refer(to files: [FileID], from event: Int64, inGroup group: Int64) {
        for file in files { references[file, default: [:]][event] = group }
    }

    mutating func endReferences(to files: [FileID], from event: Int64) {
        for file in files { references[file]?[event] = nil }
    }
}

extension MemoryStore {
    public func file(_ id: FileID) -> FileRecord? { files.records[id] }
    public func put(_ file: FileRecord) { files.records[file.id] = file }

    public func wantedFiles(_ want: FileRecord.Want, after file: FileID?, limit: Int) -> [FileRecord] {
        let wanted = files.records.values.filter { record in
            record.want == want && !record.isComplete && file.map { $0 < record.id } ?? true
        }
        return Array(wanted.sorted { $0.id < $1.id }.prefix(limit))
    }

    public func fileBytes() -> UInt64 { files.records.values.reduce(0) { $0 + $1.charge } }

    public func groups(referringTo file: FileID) -> [Int64] {
        let delivered = files.references[file, default: [:]].filter { event, _ in
            events(ordinals: [event]).first?.status == .delivered
        }
        return Set(delivered.values).sorted()
    }

    public func isReferred(to file: FileID) -> Bool { files.references[file]?.isEmpty == false }

    public func chunk(_ position: Int, of file: FileID) -> [UInt8]? { files.chunks[file]?[position] }

    public func setChunk(_ bytes: Bytes, at position: Int, of file: FileID) {
        files.chunks[file, default: [:]][position] = Array(bytes)
    }

    public func removeFile(_ id: FileID) {
        files.records[id] = nil
        files.chunks[id] = nil
    }
}
