public import Foundation
import Synchronization
public import TomboloCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The files that hold the chunks of a store's files. A chunk is at its position times 65,536 bytes (`Limits.chunk`).
///
/// The database knows which chunks are held. The file's id determines their hashes.
public final class ChunkFiles: Sendable {
    public let directory: URL
    /// The open files. All are closed when there are too many.
    private let descriptors = Mutex<[FileID: Descriptor]>([:])
    private static let mostOpen = 32

    /// An open file, which is closed when no call uses it any more.
    fileprivate final class Descriptor: Sendable {
        let number: Int32
        private let unsynced = Mutex((bytes: 0, isSyncing: false))

        init(_ number: Int32) { self.number = number }
        deinit { closeFile(number) }

        /// Starts a sync on another thread after every 32 MiB written. Then little is left to wait for at the end, and
        /// memory holds few unwritten pages.
        func noteWritten(_ bytes: Int) {
            let isMuch = unsynced.withLock { unsynced in
                unsynced.bytes += bytes
                guard unsynced.bytes >= 32 << 20, !unsynced.isSyncing else { return false }
                unsynced = (0, true)
                return true
            }
            guard isMuch else { return }
            DispatchQueue.global(qos: .utility).async { [self] in
                _ = fsync(number)
                unsynced.withLock { $0.isSyncing = false }
            }
        }
    }

    private let isReadOnly: Bool

    init(directory: URL, isReadOnly: Bool) {
        self.directory = directory
        self.isReadOnly = isReadOnly
    }

    private func path(of file: FileID) -> String { directory.appendingPathComponent("\(file)").path }

    /// Tells whether chunks of a file are stored.
    public func contains(_ file: FileID) -> Bool { FileManager.default.fileExists(atPath: path(of: file)) }

    /// The ids of the files of which chunks are stored.
    public var files: [FileID] { names.compactMap { FileID($0) }.sorted() }

    private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? [] }

    /// - Returns: nil if the file does not exist and `creating` is false.
    private func descriptor(of file: FileID, creating: Bool) throws(StoreError) -> Descriptor? {
        if creating { try makeDirectory() }
        let (path, flags) = (path(of: file), isReadOnly ? O_RDONLY : O_RDWR | (creating ? O_CREAT : 0))
        // The file is opened under the lock. Otherwise a file that another thread removes meanwhile could be
        // remembered.
        let found = descriptors.withLock { descriptors -> Result<Descriptor?, StoreError> in
            if let known = descriptors[file] { return .success(known) }
            let number = open(path, flags | O_CLOEXEC, 0o600)
            guard number >= 0 else {
                return errno == ENOENT && !creating ? .success(nil) : .failure(Self.failure("opened", path))
            }
            if descriptors.count >= Self.mostOpen { descriptors = [:] }
            descriptors[file] = Descriptor(number)
            return .success(descriptors[file])
        }
        return try found.get()
    }

    func makeDirectory() throws(StoreError) {
        do {
            try FileManager.default.createDirectory(
                at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StoreError.from(error)
        }
    }

    /// Reads the chunk at a position, as it was last written; nil if the file does not reach that far.
    public func read(_ position: Int, of file: FileID) throws(StoreError) -> [UInt8]? {
        guard let descriptor = try descriptor(of: file, creating: false) else { return nil }
        let count = FileShape(size: file.size).bytes(at: position)
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            isWhole = Self.read(into: UnsafeMutableRawBufferPointer(buffer), at: position, from: descriptor.number)
            initialized = isWhole ? count : 0
        }
        return isWhole ? bytes : nil
    }

    /// Reads the chunk at a position, with `room` bytes reserved in front of it.
    public func read(_ position: Int, of file: FileID, behind room: Int) throws(StoreError) -> Data? {
        guard let descriptor = try descriptor(of: file, creating: false) else { return nil }
        var data = Data(count: room + FileShape(size: file.size).bytes(at: position))
        let isWhole = data.withUnsafeMutableBytes { bytes in
            Self.read(
                into: UnsafeMutableRawBufferPointer(rebasing: bytes[room...]), at: position, from: descriptor.number)
        }
        return isWhole ? data : nil
    }

    private static func read(
        into bytes: UnsafeMutableRawBufferPointer, at position: Int, from descriptor: Int32
    ) -> Bool {
        var read = 0
        while read < bytes.count {
            let result = pread(
                descriptor, bytes.baseAddress?.advanced(by: read), bytes.count - read,
                off_t(position * Limits.chunk + read))
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { return false }
            read += result
        }
        return true
    }

    /// - Throws: `StoreError` `full` if the disk is full.
    public func write(_ bytes: Bytes, at position: Int, of file: FileID) throws(StoreError) {
        guard let descriptor = try descriptor(of: file, creating: true) else { return }
        try Self.write(bytes, at: position, to: descriptor, path(of: file))
    }

    fileprivate static func write(
        _ bytes: some ContiguousBytes, at position: Int, to descriptor: Descriptor, _ path: String
    ) throws(StoreError) {
        let isWritten = bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let result = pwrite(
                    descriptor.number, bytes.baseAddress?.advanced(by: written), bytes.count - written,
                    off_t(position * Limits.chunk + written))
                if result < 0, errno == EINTR { continue }
                guard result > 0 else { return false }
                written += result
            }
            descriptor.noteWritten(written)
            return true
        }
        if !isWritten { throw failure("written", path) }
    }

    private static func failure(_ what: String, _ path: String) -> StoreError {
        if errno == ENOSPC || errno == EDQUOT {
            return StoreError(.full, "the disk is full: make room and start again; nothing committed is lost")
        }
        return StoreError(.unavailable, "\(path) cannot be \(what): \(String(cString: strerror(errno)))")
    }

    /// Removes a file, if it exists.
    public func remove(_ file: FileID) {
        let path = path(of: file)
        descriptors.withLock { descriptors in
            descriptors[file] = nil
            _ = unlink(path)
        }
    }

    private static func synchronize(_ descriptor: Int32, _ path: String) throws(StoreError) {
        #if canImport(Darwin)
            let result = fcntl(descriptor, F_FULLFSYNC)
        #else
            let result = fsync(descriptor)
        #endif
        if result != 0 { throw failure("synced", path) }
    }

    func close() { descriptors.withLock { $0 = [:] } }

    /// Removes unknown files that are at least a week old, and drafts of processes that were stopped.
    func sweep(keeping isKnown: (FileID) throws -> Bool) rethrows {
        for name in names {
            let url = directory.appendingPathComponent(name)
            if let file = FileID(name) {
                let changed = try? url.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate
                guard let changed, changed.timeIntervalSinceNow < -7 * 86_400, try !isKnown(file) else { continue }
            }
            unlink(url.path)
        }
    }

    // MARK: Making a file

    /// A file in the making. It has a temporary name until its id is known.
    public final class Draft {
        private let descriptor: Descriptor
        private let path: String
        private let chunks: ChunkFiles
        private var isKept = false

        fileprivate init(_ chunks: ChunkFiles) throws(StoreError) {
            try chunks.makeDirectory()
            self.chunks = chunks
            path = chunks.directory.appendingPathComponent("new-\(UUID())").path
            let number = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard number >= 0 else { throw ChunkFiles.failure("made", path) }
            descriptor = Descriptor(number)
        }

        deinit {
            if !isKept { unlink(path) }
        }

        public func write(_ bytes: some ContiguousBytes, at position: Int) throws(StoreError) {
            try ChunkFiles.write(bytes, at: position, to: descriptor, path)
        }

        /// Syncs the content to disk and then gives the file its final name.
        public func keep(as file: FileID) throws(StoreError) {
            try ChunkFiles.synchronize(descriptor.number, path)
            chunks.descriptors.withLock { $0[file] = nil }
            guard rename(path, chunks.path(of: file)) == 0 else { throw ChunkFiles.failure("named", path) }
            isKept = true
            // The directory is synced too, so that the name survives a power cut.
            let folder = open(chunks.directory.path, O_RDONLY | O_CLOEXEC)
            guard folder >= 0 else { throw ChunkFiles.failure("opened", chunks.directory.path) }
            defer { closeFile(folder) }
            try ChunkFiles.synchronize(folder, chunks.directory.path)
        }
    }

    public func draft() throws(StoreError) -> Draft { try Draft(self) }
}
