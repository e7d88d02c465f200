import Synchronization
import TomboloCore

/// A sync with a peer on request of the application: its budget, and its events.
final class SyncAttempt: Sendable {
    enum Event: Sendable {
        case ready([GroupID])
        case joined(GroupID)
        case agreed(GroupID, ReconciliationReport)
        case differed(GroupID)
        /// One side sends the other nothing of the group, and each has received its part.
        case exchanged(GroupID)
        /// Tells whether chunks of files are in flight, or about to be sent.
        case transferring(Bool)
        /// The peer was silent for too long.
        case silent
        case closed(EngineError?)
        case budgetSpent
    }

    let peer: DeviceKey
    let invitation: Invitation?
    let budget: SyncBudget
    let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private let connection = Mutex<(any Connection)?>(nil)

    private let clock: any NodeClock

    init(with peer: DeviceKey, joining invitation: Invitation?, within budget: SyncBudget, by clock: any NodeClock) {
        self.peer = peer
        self.invitation = invitation
        self.budget = budget
        self.clock = clock
        (events, continuation) = AsyncStream.makeStream(of: Event.self)
    }

    func begin(on connection: any Connection) { self.connection.withLock { $0 = connection } }
    func notify(_ event: Event) { continuation.yield(event) }
    var traffic: Traffic { connection.withLock { $0 }?.traffic ?? Traffic() }
    func hangUp() { connection.withLock { $0 }?.close() }

    /// Ends the sync. Events that have arrived are kept.
    func spendBudget() {
        notify(.budgetSpent)
        hangUp()
    }

    /// Reports silence when nothing was received or sent for half a minute.
    func watchSilence() async {
        var last: (received: Int, unsent: Int)?
        while !Task.isCancelled {
            let now = (received: traffic.received, unsent: connection.withLock { $0 }?.unsent ?? 0)
            if let last, now.received == last.received, now.unsent >= last.unsent { return notify(.silent) }
            last = now
            guard (try? await clock.sleep(for: Self.silence)) != nil else { return }
        }
    }

    private static let silence = Duration.seconds(30)

    /// Closes the link before the windows in flight would exceed the budget.
    func checkBudget() {
        guard let bytes = budget.bytes, let window = budget.windowBytes else { return }
        let traffic = traffic
        if traffic.sent + traffic.received > bytes - 2 * window { spendBudget() }
    }
}
