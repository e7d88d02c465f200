import NIOCore
public import TomboloCore

/// One connection to a peer: over TLS with its device key proved, or plain to one that speaks MVDS alone.
public final class Connection: Sendable {
    public let peer: DeviceKey
    public let isDialler: Bool
    public let binding: Bytes32
    public let dialect: Dialect
    private let channel: any Channel
    private let counter: ByteCounter

    init(
        peer: DeviceKey, isDialler: Bool, binding: Bytes32, dialect: Dialect, channel: any Channel, counter: ByteCounter
    ) {
        self.peer = peer
        self.isDialler = isDialler
        self.binding = binding
        self.dialect = dialect
        self.channel = channel
        self.counter = counter
    }

    /// Sends one payload.
    public func send(_ payload: [UInt8]) {
        channel.writeAndFlush(payload, promise: nil)
    }

    /// Closes once everything sent so far has left.
    public func close() {
        channel.writeAndFlush([UInt8]()).whenComplete { [channel] _ in channel.close(promise: nil) }
    }

    /// Says that this many bytes of received payloads were dealt with: reading goes on when enough were.
    public func consumed(_ bytes: Int) {
        channel.pipeline.fireUserInboundEventTriggered(BytesConsumed(count: bytes))
    }

    /// Bytes on the wire below TLS, both ways, without those of the handshake.
    public var traffic: Traffic { counter.traffic }

    public struct Traffic: Sendable, Hashable {
        public init(handshake: Int = 0, sent: Int = 0, received: Int = 0) {
            self.handshake = handshake
            self.sent = sent
            self.received = received
        }

        public var handshake: Int
        public var sent: Int
        public var received: Int
    }
}

struct BytesConsumed: Sendable { let count: Int }

/// What a transport tells whoever uses it. Called on event loops: it must not block.
public protocol ConnectionHandler: Sendable {
    func opened(_ connection: Connection)
    func received(_ payload: [UInt8], on connection: Connection)
    func closed(_ connection: Connection)
}

/// Why a connection could not be made.
public struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}
