/// The contacts with which a group is shared less than fully.
package struct GroupVisibility: Hashable, Sendable {
    /// The visibility of each contact that was set. ``VisibilityLevel/shared`` is the default and not listed.
    package private(set) var settings: [Contact: VisibilityLevel] = [:]

    package init() {}

    package var isEmpty: Bool { settings.isEmpty }

    /// The visibility that was set for a contact itself: for a device, that of its member is left out.
    package subscript(contact: Contact) -> VisibilityLevel {
        get { settings[contact] ?? .shared }
        set { settings[contact] = newValue == .shared ? nil : newValue }
    }

    /// The visibility of the group for a device: the least of that set for the device and for its members.
    ///
    /// - Parameter members: the members to whom the device has proved to belong. More than one means that it
    ///   deceives.
    func level(of device: DeviceKey, of members: Set<MemberKey>) -> VisibilityLevel {
        // The group is shared no further than with any contact that the device is or belongs to.
        members.reduce(self[.device(device)]) { min($0, self[.member($1)]) }
    }

    // The stored form: one value of the store.

    package static func key(of group: GroupID) -> String { "visibility-\(group)" }

    /// The stored settings; nil if there are none.
    package var encoded: [UInt8]? {
        guard !settings.isEmpty else { return nil }
        var buffer: [UInt8] = []
        for (contact, visibility) in settings.sorted(by: { $0.key < $1.key }) {
            buffer.append(contact.place.kind)
            buffer += contact.place.key.bytes + [visibility.rawValue]
        }
        return buffer
    }

    /// Reads the settings that can be decoded, and skips damaged ones.
    package init(recovering bytes: [UInt8]?) {
        var left = (bytes ?? [])[...]
        while !left.isEmpty {
            let one = try? GroupVisibility(decoding: Array(left.prefix(Self.settingBytes)))
            for (contact, visibility) in one?.settings ?? [:] { self[contact] = visibility }
            left = left.dropFirst(Self.settingBytes)
        }
    }

    private static let settingBytes = 34

    /// Reads all settings.
    ///
    /// - Parameter bytes: the stored settings; nil if none are stored.
    /// - Throws: `StoreError` `corrupt` if a setting cannot be decoded.
    package init(decoding bytes: [UInt8]?) throws(StoreError) {
        guard let bytes else { return }
        do throws(WireError) {
            var reader = WireReader(bytes[...])
            while !reader.isAtEnd {
                let kind = try reader.byte()
                let key = try reader.bytes32()
                guard kind <= 1, let visibility = VisibilityLevel(rawValue: try reader.byte()) else {
                    throw .invalid("a setting", offset: reader.offset)
                }
                self[kind == 0 ? .member(MemberKey(key)) : .device(DeviceKey(key))] = visibility
            }
        } catch {
            throw StoreError(.corrupt, "the stored visibility of a group is damaged")
        }
    }
}
