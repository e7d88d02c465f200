// The header names the files that an event refers to. So a device knows them if it cannot read the content, or has
// erased it.
extension EventHeader {
    static let filesExtension: UInt64 = 3

    /// The files that the event refers to: 1 to 16, ascending; empty for any other value (protocol 2.9-7).
    public var files: [FileID] {
        guard kind == .message, !extensions.isEmpty, let value = extensionValue(Self.filesExtension),
            value.count.isMultiple(of: FileID.encodedBytes), value.count <= Limits.filesPerEvent * FileID.encodedBytes
        else { return [] }
        let files = stride(from: value.startIndex, to: value.endIndex, by: FileID.encodedBytes).compactMap {
            FileID(value[$0..<$0 + FileID.encodedBytes])
        }
        let isAscending = zip(files, files.dropFirst()).allSatisfy { $0 < $1 }
        return isAscending && files.count * FileID.encodedBytes == value.count ? files : []
    }

    static func filesExtension(_ files: [FileID]) -> [UInt8] {
        files.isEmpty ? [] : encodeExtension(filesExtension, Set(files).sorted().flatMap(\.bytes))
    }
}

extension Event {
    /// The files that the event refers to; none once its content is erased.
    package var filesReferredTo: [FileID] { content == nil && header.isErasable ? [] : header.files }
}
