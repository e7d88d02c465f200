/// A way to send payloads to peers, for example TCP with TLS or a network in memory.
///
/// A transport verifies the peer's device key before it passes a connection to the handler. It keeps payloads whole and
/// in order, and loses none while the connection lasts. The next session finds what a broken connection has lost.
public protocol Transport: Sendable {
    /// Listens for peers. For port 0 it chooses a free port.
    ///
    /// - Returns: the port.
    func listen(host: String, port: Int) async throws -> Int
    /// Dials `host:port`. Returns once the peer has proved its key; the handler receives the connection.
    func dial(_ address: String, expecting peer: DeviceKey) async throws
    /// Stops listening. Open connections stay.
    func stopListening() async
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

/// The address of a peer: `host:port`, or `[v6]:port`.
public struct PeerAddress: Hashable, Sendable {
    public let host: String
    public let port: Int

    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }
}
