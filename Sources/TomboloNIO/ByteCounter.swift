import NIOCore
import Synchronization
import TomboloCore

/// A counter of a connection's bytes below TLS.
final class ByteCounter: Sendable {
    private let state = Mutex(Traffic())

    var traffic: Traffic { state.withLock { $0 } }

    func add(sent: Int = 0, received: Int = 0) {
        state.withLock {
            $0.sent += sent
            $0.received += received
        }
    }

    /// Moves the bytes counted so far to the handshake, except the received bytes of the first frame.
    ///
    /// The handler calls it when TLS is established and again at the first frame: in TLS 1.3 a server's session tickets
    /// arrive in between.
    func endHandshake(sent: Bool, firstFrame: Int = 0) {
        state.withLock {
            let received = max(0, $0.received - firstFrame)
            $0.handshake += received + (sent ? $0.sent : 0)
            $0.received -= received
            if sent { $0.sent = 0 }
        }
    }
}

/// A handler between the socket and TLS that counts bytes.
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
