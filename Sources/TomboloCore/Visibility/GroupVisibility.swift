/// How far one group is shared with whom, where that is not all the way.
package struct GroupVisibility: Hashable, Sendable {
    /// What was set; nothing is ``Visibility/shared``, which needs no setting.
    package private(set) var settings: [Contact: Visibility] = [:]

    package init() {}

    package var isEmpty: Bool { settings.isEmpty }

    /// What was set for a contact, and for nothing wider.
    package subscript(contact: Contact) -> Visibility {
        get { settings[contact] ?? .shared }
        set { settings[contact] = newValue == .shared ? nil : newValue }
    }

    /// How far the group is shared with a device.
    ///
    /// - Parameter members: whose device it has shown to be: one, but for who deceives.
    func level(of device: DeviceKey, of members: Set<MemberKey>) -> Visibility {
        // No more than with anybody whom it is or belongs to.
        members.reduce(self[.device(device)]) { min($0, self[.member($1)]) }
    }

    // How it is kept: as a value of the store's.

    package static func key(of group: GroupID) -> String { "visibility-\(group)" }

    /// Nil where there is nothing to keep.
    package var encoded: [UInt8]? {
        guard !settings.isEmpty else { return nil }
        var buffer: [UInt8] = []
        for (contact, visibility) in settings.sorted(by: { $0.key < $1.key }) {
            buffer.append(contact.place.kind)
            buffer += contact.place.key.bytes + [visibility.rawValue]
        }
        return buffer
    }

    /// What can be read of it.
    package init(recovering bytes: [UInt8]?) {
        var left = (bytes ?? [])[...]
        while !left.isEmpty {
            let one = try? GroupVisibility(decoding: Array(left.prefix(Self.settingBytes)))
            for (contact, visibility) in one?.settings ?? [:] { self[contact] = visibility }
            left = left.dropFirst(Self.settingBytes)
        }
    }

    private static let settingBytes = 34

    /// - Parameter bytes: as they are stored; nil where nothing was.
    package init(decoding bytes: [UInt8]?) throws(StoreError) {
        guard let bytes else { return }
        do throws(WireError) {
            var reader = WireReader(bytes[...])
            while !reader.isAtEnd {
                let kind = try reader.byte()
                let key = try reader.bytes32()
                guard kind <= 1, let visibility = Visibility(rawValue: try reader.byte()) else {
                    throw .invalid("a setting", offset: reader.offset)
                }
                self[kind == 0 ? .member(MemberKey(key)) : .device(DeviceKey(key))] = visibility
            }
        } catch {
            throw StoreError(.corrupt, "what is kept of whom a group is hidden from is damaged")
        }
    }
}
