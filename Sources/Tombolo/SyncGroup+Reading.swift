public import TomboloCore
import TomboloSQLite

/// On how many of a group's devices an event is known to be.
public struct DeliveryState: Hashable, Sendable {
    /// Devices that are known to hold it, this one among them.
    public let reached: Int
    /// Devices that are known to be in the group, this one among them.
    public let devices: Int
    /// The peers that are known to hold it.
    public let holders: [DeviceKey]
}

// What has been read, and who has what was said.
extension SyncGroup {
    /// Entries that were delivered and are not wanted any more: their author was removed without knowing of it.
    public var withdrawnEntries: Set<EventID> {
        get throws {
            guard dialect == .native else { return [] }
            return Set(try node.storage.read { try $0.withdrawnEvents(of: record) })
        }
    }

    /// On which devices an entry is known to be: those that said so, or that were found to know the same since.
    ///
    /// A device that has not been met since may hold it too. Nil if the entry is not of this group.
    public func deliveryState(of entry: Entry) throws -> DeliveryState? {
        try node.storage.read { reader -> DeliveryState? in
            if dialect == .mvds {
                let holders = try reader.holders(ofMessage: entry.id, in: record).sorted()
                let sharers = try reader.sharers(of: record)
                return DeliveryState(reached: holders.count + 1, devices: sharers.count + 1, holders: holders)
            }
            guard let log = entry.log,
                let stored = try reader.event(of: record, log: log, sequence: entry.sequence, id: entry.id)
            else { return nil }
            let logs = try reader.logs(of: record)
            let writers = logs.compactMap(\.certificate?.device)
            let met = try reader.peers(of: record)
            // Whoever wrote it has it.
            let author = logs.first { $0.id == log }?.certificate?.device
            let holders = Set(try reader.holders(of: stored, in: record) + [author].compactMap(\.self))
                .subtracting([node.device])
            let devices = Set(writers + met).union(holders).subtracting([node.device])
            return DeliveryState(reached: holders.count + 1, devices: devices.count + 1, holders: holders.sorted())
        }
    }

    /// Up to where the group has been read on this device.
    public var readMark: Bookmark {
        get throws { Bookmark(number: try node.storage.read { try ReadMark(of: id, in: $0).number }) }
    }

    /// Notes that everything up to a change has been read on this device, and tells the member's others. A mark never goes back.
    public func markRead(through bookmark: Bookmark) async throws {
        guard !node.isReadOnly else { throw TomboloError("the node was opened for reading only") }
        guard bookmark.number > (try readMark.number) else { return }
        try node.storage.write(isDurable: false) {
            try $0.setValue(ReadMark.encode(bookmark.number), forKey: ReadMark.key(of: id))
        }
        try await node.replica.tendDevices()
    }

    /// Notes that everything that is delivered has been read.
    public func markAllRead() async throws {
        try await markRead(through: Bookmark(number: try node.storage.read { try $0.lastChange(of: record) }))
    }

    /// Entries that others wrote and that are not marked as read, on this device or another one of its member's.
    public var unreadCount: Int {
        get throws {
            let mark = try readMark.number
            return try node.storage.read { try $0.unreadCount(of: record, after: mark, by: node.member) }
        }
    }
}
