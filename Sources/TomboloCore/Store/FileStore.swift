/// The part of a store that keeps files and their chunks.
///
/// References to files follow from the headers of events. A reference begins when an event is inserted with its
/// content, or receives it. It ends when the content is erased.
public protocol FileStore: AnyObject {
    /// The record of a file; nil if none of it is held or wanted.
    func file(_ id: FileID) throws(StoreError) -> FileRecord?
    /// Inserts or replaces a record by id.
    func put(_ file: FileRecord) throws(StoreError)
    /// The incomplete files that are wanted in this way, ascending, after one of them.
    func wantedFiles(
        _ want: FileRecord.Want, after file: FileID?, limit: Int
    ) throws(StoreError) -> [FileRecord]
    /// The sum of the bytes that files count for towards the quota.
    func fileBytes() throws(StoreError) -> UInt64
    /// The store's numbers of the groups in which a delivered event refers to a file, ascending.
    func groups(referringTo file: FileID) throws(StoreError) -> [Int64]
    /// Whether any held event refers to a file, delivered or not.
    func isReferred(to file: FileID) throws(StoreError) -> Bool
    /// A chunk, as it was set last; nil if the store lacks it, or cannot read it.
    func chunk(_ position: Int, of file: FileID) throws(StoreError) -> [UInt8]?
    /// Stores a chunk. The store may keep it even if the transaction fails.
    func setChunk(_ bytes: Bytes, at position: Int, of file: FileID) throws(StoreError)
    /// Removes a file's record, and after the commit its chunks.
    func removeFile(_ id: FileID) throws(StoreError)
}

/// The state of a file in a store.
public struct FileRecord: Hashable, Sendable {
    /// The reason why the rest of a file is to be fetched.
    public enum Want: UInt8, Hashable, Sendable {
        case none = 0
        /// The file is small enough to be fetched without a request.
        case automatic = 1
        /// The application has requested the file.
        case asked = 2
    }

    public let id: FileID
    public var want: Want
    /// The positions of the chunks that the store holds.
    public var held: RangeSet<Int>

    public init(id: FileID, want: Want = .none, held: RangeSet<Int> = RangeSet()) {
        self.id = id
        self.want = want
        self.held = held
    }

    /// Whether the store holds all chunks.
    public var isComplete: Bool { FileShape(size: id.size).isAll(held) }

    /// The bytes that the file counts for towards the quota: its whole charge once a chunk is held or the application
    /// requested it.
    package var charge: UInt64 { want == .asked || !held.isEmpty ? id.charge : 0 }

    /// The number of bytes of the file that the store holds.
    public var bytesHeld: UInt64 {
        let shape = FileShape(size: id.size)
        let leaves = held.intersection(RangeSet(shape.leaves))
        return leaves.ranges.reduce(0) { sum, range in
            sum + shape.bytesOfFile(inLeaf: range.upperBound - 1).upperBound
                - shape.bytesOfFile(inLeaf: range.lowerBound).lowerBound
        }
    }
}

/// The limits of a device on files.
public struct FileLimits: Hashable, Sendable {
    /// Bytes of all files that are held or requested, each counted as `FileID.charge`.
    public var quota: UInt64
    /// The size in bytes up to which files are fetched without a request.
    public var automatic: UInt64

    public init(quota: UInt64 = 8 << 30, automatic: UInt64 = 4 << 20) {
        self.quota = quota
        self.automatic = automatic
    }

    package static let key = "fileLimits"

    /// Decodes stored limits. The defaults stand where none were set, or where they are damaged.
    ///
    /// - Parameter bytes: the stored limits; nil if none were set.
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
