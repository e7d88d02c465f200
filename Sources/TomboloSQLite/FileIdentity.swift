import CFileBirth

extension SQLiteStorage {
    /// Which file the database is in, whatever it is called: a copy is in another one. Nil where it cannot be told.
    ///
    /// The number of the file alone would not do: it is given to another once the file is gone. So the time at which it was made
    /// belongs to it.
    public var fileIdentity: [UInt8]? {
        var birth = tombolo_file_birth()
        guard tombolo_file_birth(path, &birth) == 0 else { return nil }
        return Array("\(birth.inode) \(birth.seconds) \(birth.nanoseconds)".utf8)
    }
}
