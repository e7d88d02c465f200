import NIOCore
import NIOSSL
import NIOTLS
import TomboloCore

/// A handler that frames payloads (protocol §4). It stops reading while too many payloads wait to be processed.
final class FrameHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = [UInt8]
    typealias OutboundOut = ByteBuffer

    private static let deflated: UInt32 = 1 << 31

    private let identify: (NIOSSLCertificate?) -> ChannelConnection?
    private let handler: any ConnectionHandler
    private let counter: ByteCounter
    private let peerCertificate: () -> NIOSSLCertificate?
    private var connection: ChannelConnection?
    private var buffer = ByteBuffer()
    private var deflate = Deflate()
    private var backPressure = BackPressure(highWater: 4 << 20)
    /// The number of recent payloads that compression did not shorten. For a while the next ones are sent without an
    /// attempt.
    private var incompressible = 0
    /// A promise that succeeds when the peer has proved its key and fails if the channel closes before.
    private let established: EventLoopPromise<Void>?
    private var handshakeDeadline: Scheduled<Void>?

    init(
        handler: any ConnectionHandler, counter: ByteCounter, established: EventLoopPromise<Void>?,
        peerCertificate: @escaping () -> NIOSSLCertificate?,
        identify: @escaping (NIOSSLCertificate?) -> ChannelConnection?
    ) {
        self.handler = handler
        self.counter = counter
        self.established = established
        self.peerCertificate = peerCertificate
        self.identify = identify
    }

    func channelActive(context: ChannelHandlerContext) {
        // The first payload must arrive within ten seconds, which include the handshake.
        let channel = context.channel
        handshakeDeadline = context.eventLoop.scheduleTask(in: .seconds(10)) { channel.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        handshakeDeadline?.cancel()
        if let connection { handler.closed(connection) }
        established?.fail(TransportError("the link closed before the peer had proved its key"))
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            guard let connection = identify(peerCertificate()) else { return context.close(promise: nil) }
            counter.endHandshake(sent: true)
            self.connection = connection
            handler.opened(connection)
            established?.succeed()
        } else if let consumed = event as? BytesConsumed {
            if backPressure.consumed(consumed.count) {
                readFrames(context)
                context.read()
            }
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func read(context: ChannelHandlerContext) {
        if backPressure.hasRoom() { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var incoming = unwrapInboundIn(data)
        buffer.writeBuffer(&incoming)
        readFrames(context)
    }

    private func readFrames(_ context: ChannelHandlerContext) {
        while backPressure.hasRoom(), let word: UInt32 = buffer.getInteger(at: buffer.readerIndex, endianness: .little)
        {
            let count = Int(word & ~Self.deflated)
            guard count > 0, count <= Limits.frame else { return context.close(promise: nil) }
            guard buffer.readableBytes >= 4 + count else { break }
            buffer.moveReaderIndex(forwardBy: 4)
            guard let payload = readPayload(count, isDeflated: word & Self.deflated != 0), let connection else {
                return context.close(promise: nil)
            }
            if let deadline = handshakeDeadline {
                deadline.cancel()
                handshakeDeadline = nil
                // The first frame, the bytes received behind it, and the 22 bytes of a TLS record.
                counter.endHandshake(sent: false, firstFrame: 4 + count + buffer.readableBytes + 22)
            }
            backPressure.add(payload.count)
            handler.received(payload, on: connection)
        }
        buffer.discardReadBytes()
    }

    /// Reads the next payload, of `count` bytes on the wire; nil if it does not inflate.
    private func readPayload(_ count: Int, isDeflated: Bool) -> [UInt8]? {
        guard isDeflated else { return buffer.readBytes(length: count) }
        defer { buffer.moveReaderIndex(forwardBy: count) }
        return buffer.withUnsafeReadableBytes { bytes in
            deflate.decompress(UnsafeRawBufferPointer(rebasing: bytes[..<count]), limit: Limits.frame)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let payload = unwrapOutboundIn(data)
        guard !payload.isEmpty else { return context.write(wrapOutboundOut(ByteBuffer()), promise: promise) }
        var frame = context.channel.allocator.buffer(capacity: 4 + payload.count)
        frame.writeInteger(UInt32(payload.count), endianness: .little)
        var deflated = 0
        if incompressible > 0, !incompressible.isMultiple(of: 16) {
            incompressible = (incompressible + 1) % 64
        } else if payload.count >= Deflate.shortest {
            deflated = deflate.compress(payload, into: &frame)
            let isWorthIt = deflated > 0 && deflated <= payload.count - payload.count / 16
            incompressible = isWorthIt ? 0 : incompressible + 1
        }
        if deflated > 0 {
            frame.setInteger(UInt32(deflated) | Self.deflated, at: frame.readerIndex, endianness: .little)
        } else {
            frame.writeBytes(payload)
        }
        context.write(wrapOutboundOut(frame), promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
