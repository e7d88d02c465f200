/// A promise that was broken.
public struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Promise: String, Hashable, Sendable, CaseIterable {
        /// Each event is delivered once.
        case deliveredTwice
        /// Causal order: an event is delivered after everything that it names.
        case beforeItsCause
        /// Monotonic writes: the events of one device are delivered in its order.
        case outOfOrder
        /// Read your writes: a device reads its own events at once.
        case ownUnread
        /// Monotonic reads: delivered events remain after a restart.
        case unread
        /// Writes follow reads: everything that a writer had read is delivered before its event, on every device.
        case beforeWhatItsWriterRead
        /// An event for which `send` has returned is never lost.
        case lost
        /// Honest devices never accuse each other of breaking the protocol.
        case blamed
        /// Without faults all devices come to hold the same.
        case diverged
        /// A log of an honest device never has two events of one sequence.
        case forked
        /// Expired and redacted contents are held nowhere, and all others everywhere.
        case notErased
        /// A device of a private group can read every event that was delivered to it and has content.
        case unreadable
        /// Devices that hold the same agree on members, state and visible events.
        case judgedDifferently
        /// The visible events are exactly the wanted events.
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
            case .deliveredTwice: "it was delivered twice"
            case .beforeItsCause: "it was delivered before an event that it names"
            case .outOfOrder: "it was delivered out of its log's order"
            case .ownUnread: "it does not read an event of its own"
            case .unread: "a delivered event is gone"
            case .beforeWhatItsWriterRead: "it was delivered before an event that its writer had read"
            case .lost: "a message that was reported as stored is gone"
            case .blamed: "an honest device was accused of breaking the protocol"
            case .diverged: "the devices do not come to hold the same"
            case .forked: "a log has forked"
            case .unreadable: "it cannot read a delivered event"
            case .judgedDifferently: "devices that hold the same judge it differently"
            case .wronglyShown: "the visible events are not the wanted ones"
            case .notErased: "a content is held that must be erased, or the reverse"
            }
        return "device \(device): \(what): \(detail)"
    }
}
