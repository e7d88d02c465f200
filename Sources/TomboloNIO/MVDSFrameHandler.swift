import NIOCore
import TomboloCore

/// A handler that frames payloads for peers that speak MVDS alone: a length of four bytes, big endian, then the
/// payload, without TLS (protocol §1). It stops reading while too many payloads wait to be processed.
final class MVDSFrameHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = [UInt8]
    typealias OutboundOut = ByteBuffer

    private let handler: any ConnectionHandler
    private let connection: ChannelConnection
    private var buffer = ByteBuffer()
    private var backPressure = BackPressure(highWater: 1 << 20)

    init(handler: any ConnectionHandler, connection: ChannelConnection) {
        self.handler = handler
        self.connection = connection
    }

    func channelActive(context: ChannelHandlerContext) {
        handler.opened(connection)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        handler.closed(connection)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let consumed = event as? BytesConsumed else { return context.fireUserInboundEventTriggered(event) }
        if backPressure.consumed(consumed.count) {
            readFrames(context)
            context.read()
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
        while backPressure.hasRoom(), let count: UInt32 = buffer.getInteger(at: buffer.readerIndex) {
            guard count <= Limits.mvdsFrame else { return context.close(promise: nil) }
            guard buffer.readableBytes >= 4 + Int(count) else { break }
            buffer.moveReaderIndex(forwardBy: 4)
            guard let payload = buffer.readBytes(length: Int(count)) else { return context.close(promise: nil) }
            backPressure.add(payload.count)
            handler.received(payload, on: connection)
        }
        buffer.discardReadBytes()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let payload = unwrapOutboundIn(data)
        guard !payload.isEmpty else { return context.write(wrapOutboundOut(ByteBuffer()), promise: promise) }
        var frame = context.channel.allocator.buffer(capacity: 4 + payload.count)
        frame.writeInteger(UInt32(payload.count))
        frame.writeBytes(payload)
        context.write(wrapOutboundOut(frame), promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
