import NIOCore
import Synchronization
import TomboloCore

/// A connection over a NIO channel: TLS with a proved device key, or plain TCP to a peer that speaks MVDS alone.
final class ChannelConnection: Connection {
    let peer: DeviceKey
    let isDialler: Bool
    let binding: Bytes32
    let dialect: Dialect
    private let channel: any Channel
    private let counter: ByteCounter
    /// The number of payload bytes that have not been written to the socket yet.
    private let waiting = Atomic(0)
    private static let mostUnsent = 64 << 20

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

    var unsent: Int { waiting.load(ordering: .relaxed) }

    func send(_ payload: [UInt8]) {
        let unsent = waiting.add(payload.count, ordering: .relaxed).newValue
        // Windows bound the bytes that a peer may have in flight. A peer that sends requests and never reads is
        // disconnected.
        guard unsent <= Self.mostUnsent else { return channel.close(promise: nil) }
        channel.writeAndFlush(payload).whenComplete { [self] _ in
            waiting.subtract(payload.count, ordering: .relaxed)
        }
    }

    /// Closes once everything has been sent, or after five seconds. A peer that does not read cannot hold the link
    /// longer.
    func close() {
        let channel = channel
        channel.writeAndFlush([UInt8]()).whenComplete { _ in channel.close(promise: nil) }
        channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
    }

    func consumed(_ bytes: Int) {
        channel.pipeline.fireUserInboundEventTriggered(BytesConsumed(count: bytes))
    }

    /// The bytes of the connection, counted below TLS.
    var traffic: Traffic { counter.traffic }
}

struct BytesConsumed: Sendable { let count: Int }
