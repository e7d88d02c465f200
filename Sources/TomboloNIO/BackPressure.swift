/// Payloads of a connection that wait to be dealt with: while they are too many, nothing more is read.
struct BackPressure {
    /// Bytes that may wait.
    let highWater: Int
    private var waitingBytes = 0
    private var isHeldBack = false

    /// What a waiting payload costs beside its bytes: small ones must not be free.
    private static let payloadCost = 512

    init(highWater: Int) { self.highWater = highWater }

    /// A payload has come.
    mutating func add(_ bytes: Int) { waitingBytes += bytes + Self.payloadCost }

    /// A payload was dealt with.
    /// - Returns: whether to go on with what was held back.
    mutating func consumed(_ bytes: Int) -> Bool {
        waitingBytes -= bytes + Self.payloadCost
        guard isHeldBack, waitingBytes < highWater / 2 else { return false }
        isHeldBack = false
        return true
    }

    /// Whether there is room for more; else it is held back, be it on the socket or in a buffer: what is read may inflate.
    mutating func hasRoom() -> Bool {
        guard waitingBytes >= highWater else { return true }
        isHeldBack = true
        return false
    }
}
