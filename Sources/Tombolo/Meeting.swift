import Synchronization
import TomboloCore

/// One sync with a peer that was asked for: what it may cost, and how it goes.
final class Meeting: Sendable {
    enum News: Sendable {
        case ready([GroupID])
        case joined(GroupID)
        case agreed(GroupID, ReconciliationReport)
        case differed(GroupID)
        /// The two need not know the same, and each has what it is to have.
        case exchanged(GroupID)
        /// Whether chunks of files are on their way, or about to be.
        case transferring(Bool)
        /// The peer has said nothing for a while.
        case silent
        case closed(EngineError?)
        case budgetSpent
    }

    let peer: DeviceKey
    let invitation: Invitation?
    let budget: SyncBudget
    let news: AsyncStream<News>
    private let continuation: AsyncStream<News>.Continuation
    private let connection = Mutex<(any Connection)?>(nil)

    private let clock: any NodeClock

    init(with peer: DeviceKey, joining invitation: Invitation?, within budget: SyncBudget, by clock: any NodeClock) {
        self.peer = peer
        self.invitation = invitation
        self.budget = budget
        self.clock = clock
        (news, continuation) = AsyncStream.makeStream(of: News.self)
    }

    func begin(on connection: any Connection) { self.connection.withLock { $0 = connection } }
    func tell(_ news: News) { continuation.yield(news) }
    var traffic: Traffic { connection.withLock { $0 }?.traffic ?? Traffic() }
    func hangUp() { connection.withLock { $0 }?.close() }

    /// Ends the sync: what has come is kept.
    func spendBudget() {
        tell(.budgetSpent)
        hangUp()
    }

    /// Tells when for half a minute nothing was received and nothing has left.
    func watchSilence() async {
        var last: (received: Int, unsent: Int)?
        while !Task.isCancelled {
            let now = (received: traffic.received, unsent: connection.withLock { $0 }?.unsent ?? 0)
            if let last, now.received == last.received, now.unsent >= last.unsent { return tell(.silent) }
            last = now
            guard (try? await clock.sleep(for: Self.silence)) != nil else { return }
        }
    }

    private static let silence = Duration.seconds(30)

    /// Hangs up where what may still be on its way would go beyond the budget.
    func checkBudget() {
        guard let bytes = budget.bytes, let window = budget.windowBytes else { return }
        let traffic = traffic
        if traffic.sent + traffic.received > bytes - 2 * window { spendBudget() }
    }
}
