/// The part of a store that keeps files: their chunks, and what of each is here.
///
/// Which events refer to a file follows from their headers: a reference begins with an event that is inserted with its content, or given
/// it, and ends when that is erased.
public protocol FileStore: AnyObject {
    /// What is here, or wanted, of a file; nil if nothing.
    func file(_ id: FileID) throws(StoreError) -> FileRecord?
    /// Inserts or replaces by id.
    func put(_ file: FileRecord) throws(StoreError)
    /// Files that are wanted in this way and not complete, ascending, after one of them.
    func wantedFiles(
        _ want: FileRecord.Want, after file: FileID?, limit: Int
    ) throws(StoreError) -> [FileRecord]
    /// The sum of what files count for towards the quota.
    func fileBytes() throws(StoreError) -> UInt64
    /// The store's numbers of groups in which a delivered event refers to a file, ascending.
    func groups(referringTo file: FileID) throws(StoreError) -> [Int64]
    /// Whether any event that is held refers to a file, delivered or not.
    func isReferred(to file: FileID) throws(StoreError) -> Bool
    /// A chunk, as it was set last; nil if it is not here, or cannot be read.
    func chunk(_ position: Int, of file: FileID) throws(StoreError) -> [UInt8]?
    /// Keeps a chunk. It may be there even if the transaction fails.
    func setChunk(_ bytes: Bytes, at position: Int, of file: FileID) throws(StoreError)
    /// Forgets a file and its chunks, these after the commit.
    func removeFile(_ id: FileID) throws(StoreError)
}

/// What a store has of a file.
public struct FileRecord: Hashable, Sendable {
    /// Whether the rest of a file is to be fetched.
    public enum Want: UInt8, Hashable, Sendable {
        case none = 0
        /// Because it is small enough.
        case automatic = 1
        /// Because somebody has asked for it.
        case asked = 2
    }

    public let id: FileID
    public var want: Want
    /// The positions of its chunks that are here.
    public var held: RangeSet<Int>

    public init(id: FileID, want: Want = .none, held: RangeSet<Int> = RangeSet()) {
        self.id = id
        self.want = want
        self.held = held
    }

    /// Whether all of it is here.
    public var isComplete: Bool { FileShape(size: id.size).isAll(held) }

    /// What it counts for towards the quota, in bytes: all of it once some of it is here, or somebody has asked for it.
    package var charge: UInt64 { want == .asked || !held.isEmpty ? id.charge : 0 }

    /// Bytes of the file that are here.
    public var bytesHeld: UInt64 {
        let shape = FileShape(size: id.size)
        let leaves = held.intersection(RangeSet(shape.leaves))
        return leaves.ranges.reduce(0) { sum, range in
            sum + shape.bytesOfFile(inLeaf: range.upperBound - 1).upperBound
                - shape.bytesOfFile(inLeaf: range.lowerBound).lowerBound
        }
    }
}

/// What a device gives to files.
public struct FileLimits: Hashable, Sendable {
    /// Bytes of all files that are here or asked for, each counted in blocks of 4,096 and one more.
    public var quota: UInt64
    /// Files of at most so many bytes are fetched without being asked for.
    public var automatic: UInt64

    public init(quota: UInt64 = 8 << 30, automatic: UInt64 = 4 << 20) {
        self.quota = quota
        self.automatic = automatic
    }

    package static let key = "fileLimits"

    /// - Parameter bytes: as they are stored; nil where none were set.
    package init(decoding bytes: [UInt8]?) {
        self.init()
        guard let bytes else { return }
        var reader = WireReader(bytes[...])
        guard let quota = try? reader.varint(), let automatic = try? reader.varint() else { return }
        self.init(quota: quota, automatic: automatic)
    }

    var encoded: [UInt8] {
        var buffer: [UInt8] = []
        buffer.append(varint: quota)
        buffer.append(varint: automatic)
        return buffer
    }
}
