/// The payloads of a connection that wait to be processed. While they exceed a bound, no more bytes are read.
struct BackPressure {
    /// The number of waiting bytes at which reading stops.
    let highWater: Int
    private var waitingBytes = 0
    private var isHeldBack = false

    /// The cost of a waiting payload in addition to its bytes. It bounds the number of tiny payloads.
    private static let payloadCost = 512

    init(highWater: Int) { self.highWater = highWater }

    /// Counts a received payload.
    mutating func add(_ bytes: Int) { waitingBytes += bytes + Self.payloadCost }

    /// Counts a processed payload.
    /// - Returns: true if the handler must resume reading.
    mutating func consumed(_ bytes: Int) -> Bool {
        waitingBytes -= bytes + Self.payloadCost
        guard isHeldBack, waitingBytes < highWater / 2 else { return false }
        isHeldBack = false
        return true
    }

    /// Tells whether more may be read. If not, the handler must resume later: bytes wait on the socket, or in a buffer
    /// because they may inflate.
    mutating func hasRoom() -> Bool {
        guard waitingBytes >= highWater else { return true }
        isHeldBack = true
        return false
    }
}
