import Foundation
import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// The notes that this device has to write for its member's other devices, and the notes of those since the last
/// reading.
struct OwnDeviceExchange {
    /// Inputs for the engine.
    private(set) var inputs: [EngineInput] = []
    /// Values to store in the same transaction.
    private(set) var values: [(key: String, value: [UInt8])] = []
    /// Values that the engine must find in the store.
    private(set) var prepared: [(key: String, value: [UInt8]?)] = []
    private(set) var read: [(group: GroupID, log: LogID, sequence: UInt64)] = []
    /// The groups in which another device has read further.
    var readGroups: Set<GroupID> { Set(read.map(\.group)) }

    var isEmpty: Bool { inputs.isEmpty && values.isEmpty && prepared.isEmpty && read.isEmpty }

    private static let changesAtOnce = 1_000
    /// The most groups that are adopted, and the most addresses of a peer. A faulty device must not flood the others.
    private static let mostGroups = 1_000
    private static let mostAddresses = 16
    private static let bookmarkKey = "device notes"
    private static func key(of group: GroupID) -> String { "device note \(group)" }
    private static func key(of peer: DeviceKey, at address: String) -> String { "device note \(peer) \(address)" }

    /// - Parameters:
    ///   - own: the group of the member's devices.
    ///   - device: this device.
    ///   - follows: true to read the notes of the others.
    ///   - hasVisibility: true if the state of that group has visibility settings.
    init(
        of own: GroupRecord, on device: DeviceKey, follows: Bool, hasVisibility: Bool, in reader: SQLiteReader
    ) throws {
        let groups = try reader.groups().filter { $0.dialect == .native && $0.id != own.id }
        let visibility = try DeviceVisibility(
            of: own, hasSettings: hasVisibility, beside: groups.map(\.id), in: reader)
        if follows { try readNotes(of: own, on: device, in: reader) }
        inputs += visibility.inputs
        values += visibility.values
        prepared = visibility.prepared
        // A note that has just been read need not be written.
        var known = Set(values.map(\.key))
        func isNew(_ key: String) throws -> Bool {
            try reader.value(forKey: key) == nil && known.insert(key).inserted
        }
        for group in groups {
            let key = Self.key(of: group.id)
            if try isNew(key) { try write(.group(group), in: own, noting: key) }
            try writeReadMark(of: group, in: own, reader)
        }
        for peer in try reader.peers() where peer.dialect == .native {
            for address in peer.addresses {
                let key = Self.key(of: peer.device, at: address)
                if try isNew(key) { try write(.peer(peer.device, address: address), in: own, noting: key) }
            }
        }
    }

    private mutating func write(
        _ note: DeviceNote, in own: GroupRecord, noting key: String, _ value: [UInt8] = []
    ) throws {
        for content in note.contents {
            let bytes = try ContentEnvelope.seal(content, naming: nil)
            inputs.append(.append(0, group: own.id, kind: .message, content: bytes, expiry: nil))
        }
        values.append((key, value))
    }

    private mutating func writeReadMark(of group: GroupRecord, in own: GroupRecord, _ reader: SQLiteReader) throws {
        let mark = try ReadMark(of: group.id, in: reader)
        guard mark.number > mark.notified else { return }
        let read = try reader.lastEvents(of: group, after: mark.notified, through: mark.number)
        guard !read.isEmpty else {
            return values.append((ReadMark.notifiedKey(of: group.id), ReadMark.encode(mark.number)))
        }
        try write(
            .read(group.id, read), in: own, noting: ReadMark.notifiedKey(of: group.id), ReadMark.encode(mark.number))
    }

    private mutating func readNotes(of own: GroupRecord, on device: DeviceKey, in reader: SQLiteReader) throws {
        let kept = try reader.value(forKey: Self.bookmarkKey)
        let changes = try reader.changes(
            after: kept.flatMap(ReadMark.decode) ?? 0, of: own, limit: Self.changesAtOnce)
        guard let last = changes.last else { return }
        values.append((Self.bookmarkKey, ReadMark.encode(last.number)))
        let cryptography = SwiftCryptography()
        var opener = reader.opener(of: own)
        // Only the member's own devices count, even if one of them has admitted another member. Notes of this device
        // are left out: only an older copy of it would need them.
        let owner = try GroupStatement(decoding: own.statement[...]).owner
        let logs = Set(
            try reader.logs(of: own).filter { $0.certificate?.member == owner && $0.id != own.ownLog }.map(\.id))
        var groups = try reader.groups().count
        var addresses: [DeviceKey: Set<String>] = [:]
        for peer in try reader.peers() { addresses[peer.device] = Set(peer.addresses) }
        for case (_, .event(let kind, let stored)) in changes where kind == .delivered || kind == .restored {
            let event = stored.event
            guard event.kind == .message, logs.contains(event.log), let content = try opener.content(of: event),
                let opened = ContentEnvelope.open(content), opened.type == DeviceNote.Content.type,
                let note = try? DeviceNote(
                    decoding: DeviceNote.Content(bytes: Array(opened.data)), using: cryptography)
            else { continue }
            switch note {
            case .group(let record):
                groups += 1
                guard groups <= Self.mostGroups else { continue }
                inputs.append(.openGroup(0, record))
                values.append((Self.key(of: record.id), []))
            case .peer(let peer, let address):
                let isKnown = !addresses[peer, default: []].insert(address).inserted
                if peer != device, !isKnown, addresses[peer, default: []].count <= Self.mostAddresses {
                    inputs.append(.addPeer(peer, addresses: [address]))
                }
                values.append((Self.key(of: peer, at: address), []))
            case .read(let group, let logs):
                read += logs.sorted { $0.key < $1.key }.map { (group, $0.key, $0.value) }
            }
        }
    }
}

/// The number in a group's change log up to which it was read on this device. `notified` is the number of which the
/// member's other devices were notified.
struct ReadMark {
    let number: Int64
    let notified: Int64

    static func key(of group: GroupID) -> String { "read \(group)" }
    static func notifiedKey(of group: GroupID) -> String { "read said \(group)" }

    init(of group: GroupID, in reader: SQLiteReader) throws {
        number = try reader.value(forKey: Self.key(of: group)).flatMap(Self.decode) ?? 0
        notified = try reader.value(forKey: Self.notifiedKey(of: group)).flatMap(Self.decode) ?? 0
    }

    static func encode(_ number: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(varint: UInt64(clamping: number))
        return bytes
    }

    static func decode(_ bytes: [UInt8]) -> Int64? {
        var reader = WireReader(bytes[...])
        return (try? reader.varint()).map { Int64(clamping: $0) }
    }
}
