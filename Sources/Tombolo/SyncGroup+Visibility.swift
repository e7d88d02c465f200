public import TomboloCore
import TomboloSQLite

// How far a group is shared with whom (decision 0025).
extension SyncGroup {
    /// From whom the group is hidden, and how far: whoever is not named shares all of it.
    public var visibilities: [Contact: Visibility] {
        get throws { try node.storage.read { try settings($0) }.settings }
    }

    private func settings(_ reader: SQLiteReader) throws -> GroupVisibility {
        try GroupVisibility(decoding: reader.value(forKey: GroupVisibility.key(of: id)))
    }

    /// Says how far this member's devices share the group with a contact over links to it.
    ///
    /// It is about what they do themselves: who is a member gets what is said from others all the same, and knows of the group. A device is hidden
    /// from with its member as soon as it has written anything that is here; one that belongs to several contacts shares the least of what is set for
    /// them. Links that are open are closed where this changes anything, and what was sent before stays where it is.
    /// - Throws: `EngineError` `notNative` in a group of the mvds dialect; `notAllowed` if the contact is this device's own member or one of its
    ///   devices, and for more than 1,024 contacts.
    public func setVisibility(_ visibility: Visibility, to contact: Contact) async throws {
        _ = try await node.replica.request { .setVisibility($0, group: id, to: contact, visibility) }
        try await node.replica.tendDevices()
    }
}
