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
    /// - Returns: whether to read now what was held back.
    mutating func consumed(_ bytes: Int) -> Bool {
        waitingBytes -= bytes + Self.payloadCost
        guard isReadHeldBack, waitingBytes < highWater / 2 else { return false }
        isReadHeldBack = false
        return true
    }

    /// Whether more can be read now; else it is held back.
    mutating func mayRead() -> Bool {
        isReadHeldBack = waitingBytes >= highWater
        return !isReadHeldBack
    }
}
