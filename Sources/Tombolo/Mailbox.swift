import Synchronization
import TomboloCore
import TomboloNIO

/// What has happened and was not taken by the engine yet, and the links that it happened on.
final class Mailbox: ConnectionHandler {
    private struct State {
        var inputs: [EngineInput] = []
        /// Payload bytes among the inputs, by connection.
        var consumed: [(Connection, Int)] = []
        var isDrainScheduled = false
        var sessions: [ObjectIdentifier: SessionID] = [:]
        var connections: [SessionID: Connection] = [:]
        var nextSession: UInt64 = 1
        /// Invitations to be joined with, by the inviter that is being dialled.
        var joining: [DeviceKey: Invitation] = [:]
        var watchers: [DeviceKey: AsyncStream<SessionNews>.Continuation] = [:]
        var traffic: [DeviceKey: Connection.Traffic] = [:]
        var linkNews: LinkNews?
    }

    private let state = Mutex(State())
    private let drain: @Sendable () -> Void

    /// - Parameter drain: called once whenever the mailbox stops being empty.
    init(drain: @escaping @Sendable () -> Void) { self.drain = drain }

    func post(_ inputs: [EngineInput]) {
        let mustDrain = state.withLock { state in
            state.inputs += inputs
            return Self.schedule(&state)
        }
        if mustDrain { drain() }
    }

    private static func schedule(_ state: inout State) -> Bool {
        defer { state.isDrainScheduled = true }
        return !state.isDrainScheduled
    }

    func takeAll() -> (inputs: [EngineInput], consumed: [(Connection, Int)]) {
        state.withLock { state in
            defer {
                state.inputs = []
                state.consumed = []
                state.isDrainScheduled = false
            }
            return (state.inputs, state.consumed)
        }
    }

    // MARK: Links

    func opened(_ connection: Connection) {
        let mustDrain = state.withLock { state in
            let session = SessionID(rawValue: state.nextSession)
            state.nextSession += 1
            state.sessions[ObjectIdentifier(connection)] = session
            state.connections[session] = connection
            let invitation = connection.isDialler ? state.joining.removeValue(forKey: connection.peer) : nil
            state.inputs.append(
                .linkOpened(
                    Link(
                        session: session, peer: connection.peer, isDialler: connection.isDialler,
                        binding: connection.binding, dialect: connection.dialect, invitation: invitation)))
            return Self.schedule(&state)
        }
        if mustDrain { drain() }
    }

    func received(_ payload: [UInt8], on connection: Connection) {
        let mustDrain = state.withLock { state in
            guard let session = state.sessions[ObjectIdentifier(connection)] else { return false }
            state.inputs.append(.payloadReceived(session, payload[...]))
            state.consumed.append((connection, payload.count))
            return Self.schedule(&state)
        }
        if mustDrain { drain() }
    }

    func closed(_ connection: Connection) {
        let (mustDrain, watcher) = state.withLock { state in
            guard let session = state.sessions.removeValue(forKey: ObjectIdentifier(connection)) else {
                return (false, nil as AsyncStream<SessionNews>.Continuation?)
            }
            state.connections[session] = nil
            state.traffic[connection.peer] = connection.traffic
            state.inputs.append(.linkClosed(session))
            return (Self.schedule(&state), state.watchers[connection.peer])
        }
        watcher?.yield(.closed(nil))
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

    func connection(_ session: SessionID) -> Connection? { state.withLock { $0.connections[session] } }
    var connectedPeers: [DeviceKey] { state.withLock { $0.connections.values.map(\.peer).sorted() } }

    func connections(to peer: DeviceKey) -> [Connection] {
        state.withLock { $0.connections.values.filter { $0.peer == peer } }
    }

    func closeAll() {
        for connection in state.withLock({ Array($0.connections.values) }) { connection.close() }
    }

    /// The traffic of the latest connection with a peer that has closed.
    func traffic(with peer: DeviceKey) -> Connection.Traffic { state.withLock { $0.traffic[peer] ?? .init() } }

    // MARK: News of one peer's session

    func watch(_ peer: DeviceKey, joining invitation: Invitation?) -> AsyncStream<SessionNews> {
        let (stream, continuation) = AsyncStream.makeStream(of: SessionNews.self)
        state.withLock { state in
            state.watchers[peer] = continuation
            state.joining[peer] = invitation
        }
        return stream
    }

    func unwatch(_ peer: DeviceKey) { state.withLock { $0.watchers[peer] = nil } }

    func tell(_ session: SessionID, _ news: SessionNews) {
        let watcher = state.withLock { state in
            state.connections[session].flatMap { state.watchers[$0.peer] }
        }
        watcher?.yield(news)
    }
}

/// What becomes known of a session with a peer.
enum SessionNews: Sendable {
    case ready([GroupID])
    case joined(GroupID)
    case agreed(GroupID)
    case closed(EngineError?)
}
