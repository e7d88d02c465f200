public import TomboloCore

/// The name of a peer.
public enum PeerID: Hashable, Sendable {
    /// A device that has proved to hold this key.
    case device(DeviceKey)
    /// A peer that speaks MVDS alone, over plain TCP. Nothing proves its identity: the address, `host:port`, is its
    /// name.
    case mvds(address: String)

    /// The device's key; nil for a peer that speaks MVDS alone.
    public var device: DeviceKey? {
        switch self {
        case .device(let key): key
        case .mvds: nil
        }
    }
}

extension PeerID: CustomStringConvertible, Comparable {
    /// 64 lower case hexadecimal digits, or the address.
    public var description: String {
        switch self {
        case .device(let key): "\(key)"
        case .mvds(let address): address
        }
    }

    /// Devices come first, by their keys; then the others, by their addresses.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        switch (lhs, rhs) {
        case (.device(let one), .device(let other)): one < other
        case (.mvds(let one), .mvds(let other)): one < other
        case (.device, .mvds): true
        case (.mvds, .device): false
        }
    }
}

/// A peer that this device has met, or knows an address of.
public struct Peer: Hashable, Sendable, Identifiable {
    /// The name of the peer.
    public let id: PeerID
    /// The addresses at which it may be reached, the one confirmed last first; at most 16.
    public let addresses: [String]
    /// Its member, as proved when it joined a group by an invitation of this device; else nil.
    public let member: MemberKey?
    /// Tells whether a link to it was open when this value was made.
    public let isConnected: Bool

    init(_ record: PeerRecord, isConnected: Bool) {
        id = PeerID(record)
        addresses = record.addresses
        member = record.member
        self.isConnected = isConnected
    }
}

extension PeerID {
    /// Creates the name of a stored peer. The store's key for a peer that speaks MVDS alone is a hash of its address.
    init(_ record: PeerRecord) {
        switch record.dialect {
        case .native: self = .device(record.device)
        case .mvds: self = .mvds(address: record.addresses.first ?? "")
        }
    }
}
