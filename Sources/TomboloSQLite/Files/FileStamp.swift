import CFileBirth
package import Foundation

/// The properties of an open file that change with its contents: inode, size, and the times of its last changes.
package struct FileStamp: Equatable {
    private let inode: UInt64
    private let size: Int64
    private let times: [Int64]

    /// - Returns: nil if the system does not tell.
    package init?(of handle: FileHandle) {
        var stamp = tombolo_file_stamp()
        guard tombolo_file_stamp(handle.fileDescriptor, &stamp) == 0 else { return nil }
        inode = stamp.inode
        size = stamp.size
        times = [
            stamp.modified_seconds, stamp.modified_nanoseconds, stamp.changed_seconds, stamp.changed_nanoseconds,
        ]
    }
}
