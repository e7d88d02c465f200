/// A way to send payloads to peers, for example TCP with TLS or a network in memory.
///
/// A transport of the native dialect verifies the peer's device key before it passes a connection to the handler. The
/// next session finds what a broken connection has lost.
public protocol Transport: Sendable {
    /// The scheme of the addresses that it dials (RFC 3986, section 3.1), for example `tcp`.
    var scheme: String { get }
    /// The dialect of its connections.
    var dialect: Dialect { get }
    /// The promises that it makes about payloads.
    var delivery: PayloadDelivery { get }
    /// Listens for peers. For port 0 it chooses a free port.
    ///
    /// - Returns: the port.
    func listen(host: String, port: Int) async throws -> Int
    /// Dials an address of its scheme. Returns once the peer has proved its key; the handler receives the connection.
    ///
    /// An address of a transport of the mvds dialect proves nothing: its connection belongs to `peer` all the same.
    func dial(_ address: PeerAddress, expecting peer: DeviceKey) async throws
    /// Stops listening. Open connections stay.
    func stopListening() async
}

/// The promises that a transport makes about the payloads of one connection, while it lasts.
public struct PayloadDelivery: Hashable, Sendable {
    /// Whether payloads arrive in the order in which they were sent.
    public var isOrdered: Bool
    /// Whether every payload arrives, once.
    public var isReliable: Bool
    /// The most bytes of one payload; nil for ``Limits/frame``.
    public var mtu: Int?

    public init(isOrdered: Bool, isReliable: Bool, mtu: Int? = nil) {
        self.isOrdered = isOrdered
        self.isReliable = isReliable
        self.mtu = mtu
    }

    /// Whole payloads up to ``Limits/frame``, in order, none lost. The native dialect needs all of it.
    public static let stream = PayloadDelivery(isOrdered: true, isReliable: true)

    /// Whether the native dialect works over it.
    public var carriesNativeDialect: Bool { isOrdered && isReliable && mtu ?? .max >= Limits.frame }
}

/// The key that a transport proves to peers: this device's.
public struct TransportIdentity: Sendable {
    public let device: DeviceKey
    /// The seed of the device's Ed25519 key (RFC 8032).
    public let seed: Bytes32

    public init(device: DeviceKey, seed: Bytes32) {
        self.device = device
        self.seed = seed
    }
}

/// A connection to a peer whose device key is verified.
public protocol Connection: AnyObject, Sendable {
    var peer: DeviceKey { get }
    var isDialler: Bool { get }
    /// The channel binding: 32 bytes that both sides of this connection know and that no other connection has
    /// (protocol 4-2).
    var binding: Bytes32 { get }
    var dialect: Dialect { get }
    /// The most bytes of one payload; nil for ``Limits/frame``.
    var mtu: Int? { get }
    /// The bytes on the wire so far.
    var traffic: Traffic { get }
    /// The bytes of payloads that were passed to ``send(_:)`` and have not left yet.
    var unsent: Int { get }
    /// Sends one payload, of at most ``Limits/frame`` bytes.
    func send(_ payload: [UInt8])
    /// Closes the connection once all payloads have left.
    func close()
    /// Reports that this many bytes of received payloads were processed. The connection reads on once enough were.
    func consumed(_ bytes: Int)
}

extension Connection {
    public var mtu: Int? { nil }
}

/// The bytes of a connection on the wire, in both directions.
public struct Traffic: Sendable, Hashable {
    public var handshake: Int
    /// The bytes that were sent, without those of the handshake.
    public var sent: Int
    /// The bytes that were received, without those of the handshake.
    public var received: Int

    public init(handshake: Int = 0, sent: Int = 0, received: Int = 0) {
        self.handshake = handshake
        self.sent = sent
        self.received = received
    }
}

/// The receiver of a transport's connections and payloads. Its methods must not block.
public protocol ConnectionHandler: Sendable {
    func opened(_ connection: any Connection)
    func received(_ payload: [UInt8], on connection: any Connection)
    func closed(_ connection: any Connection)
}

/// The reason why a connection could not be made.
public struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

extension TransportError {
    /// The error of an address that a transport cannot dial.
    public static func noAddress(_ address: PeerAddress) -> TransportError {
        TransportError("\(address) is not an address of the form host:port")
    }
}
