/// A promise that was not kept.
public struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Promise: String, Hashable, Sendable, CaseIterable {
        /// Each event is delivered once.
        case deliveredTwice
        /// After everything that it names: causal order.
        case beforeItsCause
        /// What one device writes comes in its order: monotonic writes.
        case outOfOrder
        /// What a device says it reads at once: read your writes.
        case ownUnread
        /// What was delivered stays, whatever is restarted: monotonic reads.
        case unread
        /// Whatever its writer had read comes before a message, everywhere: writes follow reads.
        case beforeWhatItsWriterRead
        /// What `send` has returned for is never lost.
        case lost
        /// Honest devices follow the protocol in each other's eyes.
        case blamed
        /// Without faults all come to hold the same.
        case diverged
        /// No honest log has two events of one sequence.
        case forked
        /// What has expired, or was redacted, is nowhere any more, and all else is everywhere.
        case notErased
        /// Whatever a device of a private group was handed, and holds the content of, it can read.
        case unreadable
        /// Whoever holds the same judges it alike: members, state, and what is to be seen.
        case judgedDifferently
        /// What is shown is what is wanted: neither more nor less.
        case wronglyShown
    }

    public let promise: Promise
    public let device: Int
    public let detail: String

    init(_ promise: Promise, _ device: Int, _ detail: String) {
        (self.promise, self.device, self.detail) = (promise, device, detail)
    }

    public var description: String {
        let what =
            switch promise {
            case .deliveredTwice: "it was handed over twice"
            case .beforeItsCause: "it was handed over before what it names"
            case .outOfOrder: "it was handed over out of its log's order"
            case .ownUnread: "what it said itself it does not read"
            case .unread: "what it had been handed is gone"
            case .beforeWhatItsWriterRead: "it was handed over before something that its writer had read"
            case .lost: "what was said to be on disk is gone"
            case .blamed: "an honest device was hung up on"
            case .diverged: "the devices do not come to hold the same"
            case .forked: "a log has forked"
            case .unreadable: "it cannot read what it was handed"
            case .judgedDifferently: "who holds the same judges it differently"
            case .wronglyShown: "what is shown is not what is wanted"
            case .notErased: "a content is there that should be gone, or gone that should be there"
            }
        return "device \(device): \(what): \(detail)"
    }
}
