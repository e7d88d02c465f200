public import TomboloCore
import TomboloSQLite

// The visibility of a group towards contacts (decision 0025).
extension SyncGroup {
    /// The visibility levels of contacts that do not see all of the group. All other contacts see all of it.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var visibilities: [Contact: VisibilityLevel] {
        get async throws { try node.read { try settings($0) }.settings }
    }

    private func settings(_ reader: SQLiteReader) throws -> GroupVisibility {
        try GroupVisibility(decoding: reader.value(forKey: GroupVisibility.key(of: id)))
    }

    /// Sets the visibility of the group towards a contact, over links from this member's devices to it.
    ///
    /// It governs these devices alone. A member of the group still gets its events from others, and knows of it. A
    /// setting for a member holds for a device as soon as this device holds an event that the device wrote. A device
    /// that belongs to several contacts gets the lowest of their levels. If the setting changes anything, open links to
    /// the contact are closed. Events that were sent before stay where they are.
    /// - Throws: ``TomboloError`` `wrongDialect` in a group of the mvds dialect; `notAllowed` if the contact is this
    ///   device's own member or one of its devices, and for more than 1,024 contacts.
    public func setVisibility(_ visibility: VisibilityLevel, to contact: Contact) async throws {
        _ = try await node.runtime.request { .setVisibility($0, group: id, to: contact, visibility) }
        try await node.runtime.exchangeWithOwnDevices()
    }
}
