import TomboloCore
import TomboloSQLite

/// From whom groups are hidden, as a member's devices tell each other: as keys of the state of their own group (protocol §5.9).
struct DeviceVisibility {
    private static let prefix = "visibility "
    private static let notePrefix = "visibility said "
    /// The id of a request that may fail, and is nobody's.
    private static let request = RequestID.max

    private struct Setting: Hashable {
        let group: GroupID
        let contact: Contact

        /// Its key in the state of the devices' own group.
        var key: String { "\(prefix)\(group) \(contact)" }
        /// Under which it is kept what this device last knew to be said there.
        var saidKey: String { "\(notePrefix)\(group) \(contact)" }

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

    /// Whether a key of the store says what was last known to be told.
    static func isNote(_ key: String) -> Bool { key.hasPrefix(notePrefix) }

    /// Whether a key of the state of the devices' own group says from whom a group is hidden.
    static func isKey(_ key: String) -> Bool { key.hasPrefix(prefix) }

    /// - Parameters:
    ///   - own: the group of the member's devices.
    ///   - isTold: whether its state has such keys.
    ///   - groups: the others that are here.
    init(of own: GroupRecord, isTold: Bool, beside groups: [GroupID], in reader: SQLiteReader) throws {
        let told = isTold ? try Self.told(in: own, reader) : [:]
        for group in groups {
            let here = try GroupVisibility(decoding: reader.value(forKey: GroupVisibility.key(of: group)))
            let contacts = Set(here.settings.keys).union((told[group] ?? [:]).keys)
            for contact in contacts.sorted() {
                try settle(
                    Setting(group, contact), here: here[contact], told: told[group]?[contact],
                    isFull: here.settings.count >= Limits.hiddenFrom, own.id, reader)
            }
        }
        for (group, settings) in told where !groups.contains(group) {
            var hidden = GroupVisibility()
            for contact in settings.keys.sorted().prefix(Limits.hiddenFrom) {
                hidden[contact] = settings[contact] ?? .shared
            }
            let key = GroupVisibility.key(of: group)
            if try reader.value(forKey: key) != hidden.encoded { prepared.append((key, hidden.encoded)) }
        }
    }

    /// Of what was set here and what others have told since the two were last the same, the later counts; where both are new, the less.
    private mutating func settle(
        _ setting: Setting, here: VisibilityLevel, told: VisibilityLevel?, isFull: Bool, _ own: GroupID,
        _ reader: SQLiteReader
    ) throws {
        let last = try reader.value(forKey: setting.saidKey)?.first.flatMap { VisibilityLevel(rawValue: $0) }
        guard here != told || last != told else { return }
        let isNewHere = here != last ?? .shared
        let isNewThere = told != nil && told != last
        let result = isNewHere && isNewThere ? min(here, told ?? here) : isNewThere ? told ?? here : here
        // There are too many: it is not followed here, nor taken back.
        if isFull, here == .shared, result != .shared { return }
        // The contact may be an own device by now: then it is taken back the next time.
        if result != here {
            inputs.append(.setVisibility(Self.request, group: setting.group, to: setting.contact, result))
        }
        if result != told { inputs.append(.setState(0, group: own, key: setting.key, value: [result.rawValue])) }
        values.append((setting.saidKey, [result.rawValue]))
    }

    /// The settings in the state of the devices' own group; of concurrent ones, the least.
    private static func told(
        in own: GroupRecord, _ reader: SQLiteReader
    ) throws -> [GroupID: [Contact: VisibilityLevel]] {
        let statement = try GroupStatement(decoding: own.statement[...])
        let graph = try reader.graph(of: own, statement)
        var told: [GroupID: [Contact: VisibilityLevel]] = [:]
        for key in graph.keys where isKey(key) {
            guard let setting = Setting(key: key) else { continue }
            // Nobody else is in this group, whatever one of the devices has said in it.
            told[setting.group, default: [:]][setting.contact] = graph.settings(of: key).filter {
                $0.author == statement.owner
            }.compactMap { node in
                guard case .set(_, let value?) = node.action else { return nil }
                return value.first.flatMap { VisibilityLevel(rawValue: $0) }
            }.min()
        }
        return told
    }
}
