/// Carries payloads to peers: TCP with TLS, a network in memory, whatever else there is.
///
/// A transport proves the peer's device key before it hands a connection over, keeps payloads whole and in order, and loses
/// none while a connection stands. What it loses when one breaks is found again by the next session.
public protocol Transport: Sendable {
    /// Listens for peers; port 0 takes any free one.
    /// - Returns: the port.
    func listen(host: String, port: Int) async throws -> Int
    /// Dials `host:port`. Returns when the peer has proved its key; the connection is handed to the handler.
    func dial(_ address: String, expecting peer: DeviceKey) async throws
    /// Stops listening. Connections stay.
    func stopListening() async
}

/// What a transport proves to peers: this device's key.
public struct TransportIdentity: Sendable {
    public let device: DeviceKey
    /// The seed of the device's Ed25519 key (RFC 8032).
    public let seed: Bytes32

    public init(device: DeviceKey, seed: Bytes32) {
        self.device = device
        self.seed = seed
    }
}

/// One connection to a peer whose key is known.
public protocol Connection: AnyObject, Sendable {
    var peer: DeviceKey { get }
    var isDialler: Bool { get }
    /// 32 bytes that both sides of this connection know and that no other connection has (protocol §4).
    var binding: Bytes32 { get }
    var dialect: Dialect { get }
    /// Bytes on the wire so far.
    var traffic: Traffic { get }
    /// Bytes of payloads that were to be sent and have not left yet.
    var unsent: Int { get }
    /// Sends one payload, of at most ``Limits/frame`` bytes.
    func send(_ payload: [UInt8])
    /// Closes once everything sent so far has left.
    func close()
    /// Says that this many bytes of received payloads were dealt with: reading goes on when enough were.
    func consumed(_ bytes: Int)
}

/// Bytes on the wire, both ways.
public struct Traffic: Sendable, Hashable {
    public var handshake: Int
    /// Without those of the handshake.
    public var sent: Int
    public var received: Int

    public init(handshake: Int = 0, sent: Int = 0, received: Int = 0) {
        self.handshake = handshake
        self.sent = sent
        self.received = received
    }
}

/// What a transport tells whoever uses it. It must not block.
public protocol ConnectionHandler: Sendable {
    func opened(_ connection: any Connection)
    func received(_ payload: [UInt8], on connection: any Connection)
    func closed(_ connection: any Connection)
}

/// Why a connection could not be made.
public struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

/// Where a peer is reached: `host:port`, or `[v6]:port`.
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
