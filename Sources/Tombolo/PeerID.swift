public import TomboloCore

/// Names a peer.
public enum PeerID: Hashable, Sendable {
    /// A device that has proved to have this key.
    case device(DeviceKey)
    /// A peer that speaks MVDS alone, over plain TCP. Nothing proves its identity: the address, `host:port`, is its name.
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

/// A peer that this device has met, or was told of.
public struct Peer: Hashable, Sendable, Identifiable {
    /// The name of the peer.
    public let id: PeerID
    /// The addresses at which it may be reached, the one confirmed last first; at most 16.
    public let addresses: [String]
    /// The member whose device it has proved to be when it joined a group by an invitation of this device; else nil.
    public let member: MemberKey?
    /// Whether a link to it was open when it was looked up.
    public let isConnected: Bool

    init(_ record: PeerRecord, isConnected: Bool) {
        id = PeerID(record)
        addresses = record.addresses
        member = record.member
        self.isConnected = isConnected
    }
}

extension PeerID {
    /// The store's key for a peer that speaks MVDS alone is a hash of its address, which no caller sees.
    init(_ record: PeerRecord) {
        switch record.dialect {
        case .native: self = .device(record.device)
        case .mvds: self = .mvds(address: record.addresses.first ?? "")
        }
    }
}
