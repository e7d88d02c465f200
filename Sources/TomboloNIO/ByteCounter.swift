import NIOCore
import Synchronization

/// Counts the bytes of a connection below TLS.
final class ByteCounter: Sendable {
    private let state = Mutex(Connection.Traffic())

    var traffic: Connection.Traffic { state.withLock { $0 } }

    func add(sent: Int = 0, received: Int = 0) {
        state.withLock {
            $0.sent += sent
            $0.received += received
        }
    }

    /// What was counted so far was the handshake.
    func endHandshake() {
        state.withLock { $0 = Connection.Traffic(handshake: $0.handshake + $0.sent + $0.received) }
    }
}

/// Sits between the socket and TLS.
final class CountingHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let counter: ByteCounter
    init(_ counter: ByteCounter) { self.counter = counter }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        counter.add(received: unwrapInboundIn(data).readableBytes)
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        counter.add(sent: unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }
}
