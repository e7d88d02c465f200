import NIOCore
import Synchronization
import TomboloCore

/// A connection over a NIO channel: TLS with the peer's device key proved, or plain to one that speaks MVDS alone.
final class ChannelConnection: Connection {
    let peer: DeviceKey
    let isDialler: Bool
    let binding: Bytes32
    let dialect: Dialect
    private let channel: any Channel
    private let counter: ByteCounter
    /// Bytes of payloads that have not left yet.
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
        // What a peer may have under way is bounded by windows; who asks and never reads is cut off.
        guard unsent <= Self.mostUnsent else { return channel.close(promise: nil) }
        channel.writeAndFlush(payload).whenComplete { [self] _ in
            waiting.subtract(payload.count, ordering: .relaxed)
        }
    }

    /// Once everything has left, or after five seconds: who does not read holds no link for ever.
    func close() {
        let channel = channel
        channel.writeAndFlush([UInt8]()).whenComplete { _ in channel.close(promise: nil) }
        channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
    }

    func consumed(_ bytes: Int) {
        channel.pipeline.fireUserInboundEventTriggered(BytesConsumed(count: bytes))
    }

    /// Counted below TLS.
    var traffic: Traffic { counter.traffic }
}

struct BytesConsumed: Sendable { let count: Int }
