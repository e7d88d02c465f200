/// A 32-byte name, typed by the phantom `Subject`, so that the name of a log cannot pass for that of an event.
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

extension Name: Codable, CodingKeyRepresentable {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Encodes the name as 64 hexadecimal digits.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let name = Self(hex: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a name has 64 hexadecimal digits")
        }
        self = name
    }

    /// The name as the key of a dictionary: 64 hexadecimal digits.
    public var codingKey: any CodingKey { Key(stringValue: description) }

    public init?(codingKey: some CodingKey) { self.init(hex: codingKey.stringValue) }
}

/// The kinds of things that a ``Name`` can name.
public enum NameSubject {
    public enum Event {}
    public enum ReplicationGroup {}
    public enum Log {}
    public enum Device {}
    public enum Member {}
}

/// The name of an event: SHA-256 over its group, time and header (protocol 1-3).
public typealias EventID = Name<NameSubject.Event>
/// The name of a group: SHA-256 over its statement in the native dialect (protocol 2.5-1), given from outside in the
/// mvds dialect.
public typealias GroupID = Name<NameSubject.ReplicationGroup>
/// The name of a log, which holds the events of one device in one group: SHA-256 over its statement (protocol 2.2-1).
public typealias LogID = Name<NameSubject.Log>
/// The Ed25519 public key of a device.
public typealias DeviceKey = Name<NameSubject.Device>
/// The Ed25519 public key of a member: a person or machine.
public typealias MemberKey = Name<NameSubject.Member>
