import NIOCore

/// Payloads of a connection that wait to be dealt with: while they are too many, nothing more is read.
struct BackPressure {
    /// Bytes that may wait.
    let highWater: Int
    private var waitingBytes = 0
    private var isReadHeldBack = false

    /// What a waiting payload costs beside its bytes: small ones must not be free.
    private static let payloadCost = 512

    init(highWater: Int) { self.highWater = highWater }

    /// A payload has come.
    mutating func add(_ bytes: Int) { waitingBytes += bytes + Self.payloadCost }

    /// A payload was dealt with.
    mutating func consumed(_ bytes: Int, _ context: ChannelHandlerContext) {
        waitingBytes -= bytes + Self.payloadCost
        guard isReadHeldBack, waitingBytes < highWater / 2 else { return }
        isReadHeldBack = false
        context.read()
    }

    /// More is asked for.
    mutating func read(_ context: ChannelHandlerContext) {
        if waitingBytes >= highWater { isReadHeldBack = true } else { context.read() }
    }
}
