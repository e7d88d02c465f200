public import TomboloCore
import TomboloSQLite

// How far a group is shown to whom (decision 0025).
extension SyncGroup {
    /// The contacts that do not see all of the group, and how much they see. All other contacts see all of it.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var visibilities: [Contact: VisibilityLevel] {
        get async throws { try node.read { try settings($0) }.settings }
    }

    private func settings(_ reader: SQLiteReader) throws -> GroupVisibility {
        try GroupVisibility(decoding: reader.value(forKey: GroupVisibility.key(of: id)))
    }

    /// Sets how far this member's devices show the group to a contact over links to it.
    ///
    /// It governs what these devices do themselves. A member of the group gets its events from others all the same, and
    /// knows of it. A setting for a member holds for a device as soon as this device holds anything that the device wrote.
    /// A device that belongs to several contacts gets the least of what is set for them. If the setting changes anything,
    /// open links to the contact are closed. Events that were sent before stay where they are.
    /// - Throws: ``TomboloError`` `wrongDialect` in a group of the mvds dialect; `notAllowed` if the contact is this
    ///   device's own member or one of its devices, and for more than 1,024 contacts.
    public func setVisibility(_ visibility: VisibilityLevel, to contact: Contact) async throws {
        _ = try await node.runtime.request { .setVisibility($0, group: id, to: contact, visibility) }
        try await node.runtime.exchangeWithOwnDevices()
    }
}
