import NIOCore
import TomboloCore

/// A connection over a NIO channel: TLS with the peer's device key proved, or plain to one that speaks MVDS alone.
final class ChannelConnection: Connection {
    let peer: DeviceKey
    let isDialler: Bool
    let binding: Bytes32
    let dialect: Dialect
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

    func send(_ payload: [UInt8]) {
        channel.writeAndFlush(payload, promise: nil)
    }

    func close() {
        channel.writeAndFlush([UInt8]()).whenComplete { [channel] _ in channel.close(promise: nil) }
    }

    func consumed(_ bytes: Int) {
        channel.pipeline.fireUserInboundEventTriggered(BytesConsumed(count: bytes))
    }

    /// Counted below TLS.
    var traffic: Traffic { counter.traffic }
}

struct BytesConsumed: Sendable { let count: Int }
