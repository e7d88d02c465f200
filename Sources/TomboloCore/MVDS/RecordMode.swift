/// The way in which a message is first sent to a peer: as it is (batch mode), or offered (interactive mode)
/// (protocol 1-16).
public enum RecordMode: Hashable, Sendable {
    case batch
    case interactive
    /// Chooses by the message's size, its origin, and the number of other peers that may have sent it.
    case byCost

    /// Bytes that a round trip on a stream is worth.
    private static let roundTripBytes = 1_024
    /// Bytes of an OFFER and a REQUEST.
    private static let exchangeBytes = 72

    /// - Parameters:
    ///   - bytes: the size of the message.
    ///   - others: peers besides the receiver that may have brought it the message by now.
    func sendsAtOnce(bytes: Int, others: Int) -> Bool {
        switch self {
        case .batch: true
        case .interactive: false
        case .byCost: bytes * others / (others + 1) <= Self.exchangeBytes + Self.roundTripBytes
        }
    }
}
