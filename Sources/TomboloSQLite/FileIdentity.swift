import CFileBirth

extension SQLiteStorage {
    /// The identity of the database's file, whatever its name. A copy has another identity. It is nil if the system
    /// does not provide it.
    ///
    /// The inode number alone does not suffice, since the system reuses it after the file is deleted. The identity
    /// therefore includes the time of creation.
    public var fileIdentity: [UInt8]? {
        var birth = tombolo_file_birth()
        guard tombolo_file_birth(path, &birth) == 0 else { return nil }
        return Array("\(birth.inode) \(birth.seconds) \(birth.nanoseconds)".utf8)
    }
}
