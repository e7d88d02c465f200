/// A 32-byte name whose meaning is the phantom `Subject`: a log is never taken for an event.
public struct Name<Subject>: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: Bytes32

    public init(_ value: Bytes32) { self.value = value }

    /// The name that exactly 32 bytes make; nil for another count.
    public init?(_ bytes: some Collection<UInt8>) {
        guard let value = Bytes32(bytes) else { return nil }
        self.value = value
    }

    /// Parses 64 hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard let value = Bytes32(hex: hex) else { return nil }
        self.value = value
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.value < rhs.value }

    /// 64 lower case hexadecimal digits.
    public var description: String { value.description }

    /// The name's 32 bytes.
    public var bytes: [UInt8] { value.bytes }
}

/// What a ``Name`` can name.
public enum NameSubject {
    public enum Event {}
    public enum ReplicationGroup {}
    public enum Log {}
    public enum Device {}
    public enum Member {}
}

/// Names an event: SHA-256 over its group, time and header (protocol §1).
public typealias EventID = Name<NameSubject.Event>
/// Names a group: SHA-256 of its first statement in the native dialect, given from outside in the mvds dialect.
public typealias GroupID = Name<NameSubject.ReplicationGroup>
/// Names a log, what one device writes to one group: SHA-256 over who it belongs to and its key (protocol §2.2).
public typealias LogID = Name<NameSubject.Log>
/// The Ed25519 public key of a device.
public typealias DeviceKey = Name<NameSubject.Device>
/// The Ed25519 public key of a member: a person or machine.
public typealias MemberKey = Name<NameSubject.Member>
