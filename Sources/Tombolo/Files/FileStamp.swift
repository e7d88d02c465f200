import Foundation

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The properties of an open file that change with its contents: inode, size, and the times of its last changes.
struct FileStamp: Equatable {
    private let inode: UInt64
    private let size: Int64
    private let times: [Int]

    /// - Returns: nil if the system does not tell.
    init?(of handle: FileHandle) {
        var status = stat()
        guard fstat(handle.fileDescriptor, &status) == 0 else { return nil }
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        #if canImport(Darwin)
            let (modified, changed) = (status.st_mtimespec, status.st_ctimespec)
        #else
            let (modified, changed) = (status.st_mtim, status.st_ctim)
        #endif
        times = [modified.tv_sec, modified.tv_nsec, changed.tv_sec, changed.tv_nsec]
    }
}
