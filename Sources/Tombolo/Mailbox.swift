import Synchronization
import TomboloCore

/// What has happened and was not taken by the engine yet, and the links that it happened on.
final class Mailbox: ConnectionHandler {
    private struct Input {
        let input: EngineInput
        /// What a payload came by, and its bytes.
        var source: (connection: any Connection, bytes: Int)?
    }

    private struct State {
        var inputs: [Input] = []
        var isDrainScheduled = false
        var sessions: [ObjectIdentifier: SessionID] = [:]
        var connections: [SessionID: any Connection] = [:]
        var nextSession: UInt64 = 1
        /// Syncs whose peer is being dialled, and those that are under way.
        var dialled: [DeviceKey: Meeting] = [:]
        var meetings: [SessionID: Meeting] = [:]
        var linkNews: LinkNews?
        /// This device, and the peers that it dials to stay connected with.
        var device: DeviceKey?
        var keptDials: Set<DeviceKey> = []
    }

    private let state = Mutex(State())
    /// Peers with at least one connection.
    let connected = LatestValue<Set<DeviceKey>>([])
    private let drain: @Sendable () -> Void

    /// - Parameter drain: called once whenever the mailbox stops being empty.
    init(drain: @escaping @Sendable () -> Void) { self.drain = drain }

    func post(_ inputs: [EngineInput]) {
        let mustDrain = state.withLock { state in
            state.inputs += inputs.map { Input(input: $0) }
            return Self.schedule(&state)
        }
        if mustDrain { drain() }
    }

    private static func schedule(_ state: inout State) -> Bool {
        defer { state.isDrainScheduled = true }
        return !state.isDrainScheduled
    }

    /// A batch, in the order in which it happened: not everything at once where there is much, so that a peer hears of what
    /// was committed while the rest is worked on.
    ///
    /// - Returns: the inputs, the bytes of payloads among them by connection, and whether more is left.
    func takeBatch() -> (inputs: [EngineInput], consumed: [(any Connection, Int)], hasMore: Bool) {
        let (batch, hasMore) = state.withLock { state -> ([Input], Bool) in
            var (count, bytes) = (0, 0)
            for input in state.inputs {
                guard bytes < Self.batchBytes, count < Self.batchInputs else { break }
                count += 1
                bytes += input.source?.bytes ?? 0
            }
            defer {
                state.inputs.removeFirst(count)
                state.isDrainScheduled = !state.inputs.isEmpty
            }
            return (Array(state.inputs.prefix(count)), count < state.inputs.count)
        }
        return (batch.map(\.input), batch.compactMap { $0.source.map { ($0.connection, $0.bytes) } }, hasMore)
    }

    private static let batchBytes = 1 << 20
    private static let batchInputs = 1_024

    /// How many inputs wait.
    var count: Int { state.withLock { $0.inputs.count } }

    /// Forgets what was not taken.
    func clear() {
        state.withLock { state in
            state.inputs = []
            state.isDrainScheduled = false
        }
    }

    // MARK: Links

    func opened(_ connection: any Connection) {
        let mustDrain = state.withLock { state in
            let session = SessionID(rawValue: state.nextSession)
            state.nextSession += 1
            state.sessions[ObjectIdentifier(connection)] = session
            state.connections[session] = connection
            let meeting = connection.isDialler ? state.dialled.removeValue(forKey: connection.peer) : nil
            meeting?.begin(on: connection)
            state.meetings[session] = meeting
            state.inputs.append(
                Input(
                    input: .linkOpened(
                        Link(
                            session: session, peer: connection.peer, isDialler: connection.isDialler,
                            binding: connection.binding, dialect: connection.dialect,
                            invitation: meeting?.invitation, windowLimit: meeting?.budget.windowBytes))))
            return Self.schedule(&state)
        }
        connected.update { $0.insert(connection.peer) }
        closeRedundant(with: connection.peer)
        if mustDrain { drain() }
    }

    /// Two devices that dialled each other at once keep the link that the one with the smaller key dialled: whoever dialled
    /// the other one closes it. Not while somebody waits for what was dialled: a sync, or an invitation that is being taken.
    private func closeRedundant(with peer: DeviceKey) {
        let redundant = state.withLock { state -> [any Connection] in
            guard let device = state.device, peer < device, state.keptDials.contains(peer) else { return [] }
            let links = state.connections.filter { $0.value.peer == peer && $0.value.dialect == .native }
            guard links.contains(where: { !$0.value.isDialler }) else { return [] }
            return links.filter { $0.value.isDialler && state.meetings[$0.key] == nil }.map(\.value)
        }
        for connection in redundant { connection.close() }
    }

    /// Notes who is dialled to stay connected with.
    func keep(_ peer: DeviceKey, for device: DeviceKey) {
        state.withLock { state in
            state.device = device
            state.keptDials.insert(peer)
        }
    }

    func received(_ payload: [UInt8], on connection: any Connection) {
        let (mustDrain, meeting) = state.withLock { state -> (Bool, Meeting?) in
            guard let session = state.sessions[ObjectIdentifier(connection)] else { return (false, nil) }
            state.inputs.append(
                Input(input: .payloadReceived(session, payload[...]), source: (connection, payload.count)))
            return (Self.schedule(&state), state.meetings[session])
        }
        if mustDrain { drain() }
        meeting?.checkBudget()
    }

    func closed(_ connection: any Connection) {
        let (mustDrain, meeting) = state.withLock { state -> (Bool, Meeting?) in
            guard let session = state.sessions.removeValue(forKey: ObjectIdentifier(connection)) else {
                return (false, nil)
            }
            state.connections[session] = nil
            state.inputs.append(Input(input: .linkClosed(session)))
            return (Self.schedule(&state), state.meetings.removeValue(forKey: session))
        }
        meeting?.tell(.closed(nil))
        let remaining = connections(to: connection.peer)
        if remaining.isEmpty { connected.update { $0.remove(connection.peer) } }
        tellLinkNews()
        if mustDrain { drain() }
    }

    /// For one waiter: the latest caller.
    func linkNews() -> LinkNews {
        let news = LinkNews()
        state.withLock { $0.linkNews = news }
        return news
    }

    func tellLinkNews() { state.withLock { $0.linkNews }?.tell() }

    func connection(_ session: SessionID) -> (any Connection)? { state.withLock { $0.connections[session] } }
    var connectedPeers: [DeviceKey] { state.withLock { $0.connections.values.map(\.peer).sorted() } }

    func connections(to peer: DeviceKey) -> [any Connection] {
        state.withLock { $0.connections.values.filter { $0.peer == peer } }
    }

    func closeAll() {
        for connection in state.withLock({ Array($0.connections.values) }) { connection.close() }
    }

    // MARK: Syncs that were asked for

    /// The next connection that this device dials to the meeting's peer is the meeting's.
    func prepare(_ meeting: Meeting) { state.withLock { $0.dialled[meeting.peer] = meeting } }

    func forget(_ meeting: Meeting) {
        state.withLock { if $0.dialled[meeting.peer] === meeting { $0.dialled[meeting.peer] = nil } }
    }

    func tell(_ session: SessionID, _ news: Meeting.News) {
        state.withLock { $0.meetings[session] }?.tell(news)
    }
}
