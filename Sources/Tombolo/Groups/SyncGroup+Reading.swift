public import TomboloCore
import TomboloSQLite

/// The number of a group's devices that are known to hold an event.
public struct DeliveryState: Hashable, Sendable {
    /// The number of devices that are known to hold it, including this one.
    public let reached: Int
    /// The number of devices that are known to be in the group, including this one.
    public let devices: Int
    /// The peers that are known to hold it, ascending.
    public let holders: [PeerID]
}

// Read marks, and which devices hold an entry.
extension SyncGroup {
    /// The entries that were delivered and no longer count: their author was removed and did not know of that.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var withdrawnEntries: Set<EventID> {
        get async throws {
            guard dialect == .native else { return [] }
            return Set(try node.read { try $0.withdrawnEvents(of: record) })
        }
    }

    /// The devices that are known to hold an entry: they acknowledged it, or were found to hold the same since.
    ///
    /// A device that has not been met since may hold it too.
    /// - Returns: nil if the entry is not of this group.
    /// - Throws: ``TomboloError`` of the store.
    public func deliveryState(of entry: Entry) async throws -> DeliveryState? {
        try node.read { reader -> DeliveryState? in
            if dialect == .mvds {
                let holders = try reader.holders(ofMessage: entry.id, in: record)
                let sharers = try reader.sharers(of: record)
                return DeliveryState(
                    reached: holders.count + 1, devices: sharers.count + 1,
                    holders: try node.peerIDs(of: holders, reader))
            }
            guard let log = entry.log,
                let stored = try reader.event(of: record, log: log, sequence: entry.sequence, id: entry.id)
            else { return nil }
            let logs = try reader.logs(of: record)
            let writers = logs.compactMap(\.certificate?.device)
            let met = try reader.peers(of: record)
            // The author's device holds it.
            let author = logs.first { $0.id == log }?.certificate?.device
            let holders = Set(try reader.holders(of: stored, in: record) + [author].compactMap(\.self))
                .subtracting([node.device])
            let devices = Set(writers + met).union(holders).subtracting([node.device])
            return DeliveryState(
                reached: holders.count + 1, devices: devices.count + 1, holders: holders.sorted().map { .device($0) })
        }
    }

    /// The bookmark up to which the group was read on this device.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var readMark: Bookmark { get async throws { try currentReadMark() } }

    private func currentReadMark() throws -> Bookmark {
        Bookmark(number: try node.read { try ReadMark(of: id, in: $0).number })
    }

    /// Notes that everything up to a change was read on this device, and notifies the member's other devices. A mark
    /// never moves back.
    ///
    /// - Throws: ``TomboloError`` `readOnly`, or of the store.
    public func markRead(through bookmark: Bookmark) async throws {
        let runtime = try node.runtime
        guard bookmark.number > (try currentReadMark().number) else { return }
        try convertingErrors {
            try node.storage.write(isDurable: false) {
                try $0.setValue(ReadMark.encode(bookmark.number), forKey: ReadMark.key(of: id))
            }
        }
        await runtime.exchangeWithOwnDevices()
    }

    /// Notes that all delivered entries were read.
    ///
    /// - Throws: ``TomboloError`` `readOnly`, or of the store.
    public func markAllRead() async throws {
        try await markRead(through: Bookmark(number: try node.read { try $0.lastChange(of: record) }))
    }

    /// The number of entries that other members wrote and that no device of this device's member has marked as read.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var unreadCount: Int {
        get async throws {
            let mark = try currentReadMark().number
            return try node.read { try $0.unreadCount(of: record, after: mark, by: node.member) }
        }
    }
}
