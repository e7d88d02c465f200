import TomboloCore
import TomboloSQLite

/// The exchange of visibility settings between a member's devices. The settings are keys in the state of the devices'
/// own group (protocol §5.9).
struct DeviceVisibility {
    private static let prefix = "visibility "
    private static let notePrefix = "visibility said "
    /// The id of requests that may fail without consequence.
    private static let request = RequestID.max

    private struct Setting: Hashable {
        let group: GroupID
        let contact: Contact

        /// The setting's key in the state of the devices' own group.
        var key: String { "\(prefix)\(group) \(contact)" }
        /// The key under which this device stores the last value that it knows in that state.
        var lastKnownKey: String { "\(notePrefix)\(group) \(contact)" }

        init(_ group: GroupID, _ contact: Contact) { (self.group, self.contact) = (group, contact) }

        init?(key: String) {
            let parts = key.split(separator: " ", maxSplits: 2)
            guard parts.count == 3, let group = GroupID(hex: String(parts[1])), let contact = Contact(parts[2]) else {
                return nil
            }
            self.init(group, contact)
            guard self.key == key else { return nil }
        }
    }

    /// Inputs for the engine, and the values to store with them.
    private(set) var inputs: [EngineInput] = []
    private(set) var values: [(key: String, value: [UInt8])] = []
    /// Values that the engine must find in the store when it opens groups that are not here yet.
    private(set) var prepared: [(key: String, value: [UInt8]?)] = []

    /// Tells whether a key of the store has the last known value of a setting.
    static func isNote(_ key: String) -> Bool { key.hasPrefix(notePrefix) }

    /// Tells whether a key of the state of the devices' own group is a visibility setting.
    static func isKey(_ key: String) -> Bool { key.hasPrefix(prefix) }

    /// - Parameters:
    ///   - own: the group of the member's devices.
    ///   - hasSettings: true if the state of that group has such keys.
    ///   - groups: the other groups on this device.
    init(of own: GroupRecord, hasSettings: Bool, beside groups: [GroupID], in reader: SQLiteReader) throws {
        let shared = hasSettings ? try Self.sharedSettings(in: own, reader) : [:]
        for group in groups {
            let here = try GroupVisibility(decoding: reader.value(forKey: GroupVisibility.key(of: group)))
            let contacts = Set(here.settings.keys).union((shared[group] ?? [:]).keys)
            for contact in contacts.sorted() {
                try settle(
                    Setting(group, contact), here: here[contact], shared: shared[group]?[contact],
                    isFull: here.settings.count >= Limits.hiddenFrom, own.id, reader)
            }
        }
        for (group, settings) in shared where !groups.contains(group) {
            var hidden = GroupVisibility()
            for contact in settings.keys.sorted().prefix(Limits.hiddenFrom) {
                hidden[contact] = settings[contact] ?? .shared
            }
            let key = GroupVisibility.key(of: group)
            if try reader.value(forKey: key) != hidden.encoded { prepared.append((key, hidden.encoded)) }
        }
    }

    /// Reconciles the local value of a setting with the shared one. A value that changed since the two were last equal
    /// wins; if both changed, the lower one does.
    private mutating func settle(
        _ setting: Setting, here: VisibilityLevel, shared: VisibilityLevel?, isFull: Bool, _ own: GroupID,
        _ reader: SQLiteReader
    ) throws {
        let last = try reader.value(forKey: setting.lastKnownKey)?.first.flatMap { VisibilityLevel(rawValue: $0) }
        guard here != shared || last != shared else { return }
        let isNewHere = here != last ?? .shared
        let isNewThere = shared != nil && shared != last
        let result = isNewHere && isNewThere ? min(here, shared ?? here) : isNewThere ? shared ?? here : here
        // This device has too many settings: it neither adopts the setting nor revokes it.
        if isFull, here == .shared, result != .shared { return }
        // The contact may have become a device of this member. Then the setting is revoked the next time.
        if result != here {
            inputs.append(.setVisibility(Self.request, group: setting.group, to: setting.contact, result))
        }
        if result != shared { inputs.append(.setState(0, group: own, key: setting.key, value: [result.rawValue])) }
        values.append((setting.lastKnownKey, [result.rawValue]))
    }

    /// The settings in the state of the devices' own group. Of concurrent values the lowest counts.
    private static func sharedSettings(
        in own: GroupRecord, _ reader: SQLiteReader
    ) throws -> [GroupID: [Contact: VisibilityLevel]] {
        let statement = try GroupStatement(decoding: own.statement[...])
        let graph = try reader.graph(of: own, statement)
        var shared: [GroupID: [Contact: VisibilityLevel]] = [:]
        for key in graph.keys where isKey(key) {
            guard let setting = Setting(key: key) else { continue }
            // Only the member's own devices count, even if one of them has admitted another member.
            shared[setting.group, default: [:]][setting.contact] = graph.settings(of: key).filter {
                $0.author == statement.owner
            }.compactMap { node in
                guard case .set(_, let value?) = node.action else { return nil }
                return value.first.flatMap { VisibilityLevel(rawValue: $0) }
            }.min()
        }
        return shared
    }
}
