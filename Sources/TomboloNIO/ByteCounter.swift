import NIOCore
import Synchronization
import TomboloCore

/// Counts the bytes of a connection below TLS.
final class ByteCounter: Sendable {
    private let state = Mutex(Traffic())

    var traffic: Traffic { state.withLock { $0 } }

    func add(sent: Int = 0, received: Int = 0) {
        state.withLock {
            $0.sent += sent
            $0.received += received
        }
    }

    /// What was counted so far was the handshake, but for what was received of the first frame.
    ///
    /// Called when TLS is up and again at the first frame: in TLS 1.3 a server's session tickets come in between.
    func endHandshake(sent: Bool, firstFrame: Int = 0) {
        state.withLock {
            let received = max(0, $0.received - firstFrame)
            $0.handshake += received + (sent ? $0.sent : 0)
            $0.received -= received
            if sent { $0.sent = 0 }
        }
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
