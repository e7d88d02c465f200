import Synchronization
import TomboloCore

/// The queue of inputs for the engine, and the open links.
final class InputQueue: ConnectionHandler {
    private struct Input {
        let input: EngineInput
        /// The connection of a payload, and its bytes.
        var source: (connection: any Connection, bytes: Int)?
    }

    private struct State {
        var inputs: [Input] = []
        var isDrainScheduled = false
        var sessions: [ObjectIdentifier: SessionID] = [:]
        var connections: [SessionID: any Connection] = [:]
        var nextSession: UInt64 = 1
        /// The syncs whose peer is being dialled. `attempts` has those with an open link.
        var dialled: [DeviceKey: SyncAttempt] = [:]
        var attempts: [SessionID: SyncAttempt] = [:]
        var linkSignal: LinkSignal?
        /// This device, and the peers that it dials to stay connected with.
        var device: DeviceKey?
        var keptDials: Set<DeviceKey> = []
    }

    private let state = Mutex(State())
    /// The peers with at least one connection.
    let connected = LatestValue<Set<DeviceKey>>([])
    private let limits: NodeLimits
    private let drain: @Sendable () -> Void

    /// - Parameter drain: called each time that the queue stops being empty.
    init(limits: NodeLimits, drain: @escaping @Sendable () -> Void) {
        self.limits = limits
        self.drain = drain
    }

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

    /// Removes the next batch of inputs in their order. A long queue makes several batches, so that peers receive what
    /// is committed while the rest is processed.
    ///
    /// - Returns: the inputs, the bytes of payloads among them by connection, and whether more is left.
    func dequeueBatch() -> (inputs: [EngineInput], consumed: [(any Connection, Int)], hasMore: Bool) {
        let (batch, hasMore) = state.withLock { state -> ([Input], Bool) in
            var (count, bytes) = (0, 0)
            for input in state.inputs {
                guard count < max(1, limits.batchInputs), count == 0 || bytes < limits.batchBytes else { break }
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

    /// The number of waiting inputs.
    var count: Int { state.withLock { $0.inputs.count } }

    /// Removes all waiting inputs.
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
            let attempt = connection.isDialler ? state.dialled.removeValue(forKey: connection.peer) : nil
            attempt?.begin(on: connection)
            state.attempts[session] = attempt
            state.inputs.append(
                Input(
                    input: .linkOpened(
                        PeerLink(
                            session: session, peer: connection.peer, isDialler: connection.isDialler,
                            binding: connection.binding, dialect: connection.dialect,
                            invitation: attempt?.invitation, windowLimit: attempt?.budget.windowBytes,
                            mtu: connection.mtu))))
            return Self.schedule(&state)
        }
        connected.update { $0.insert(connection.peer) }
        closeRedundant(with: connection.peer)
        if mustDrain { drain() }
    }

    /// Closes one of two links, after two devices dialled each other at once. They keep the link that the device with
    /// the smaller key dialled. A link that a sync or a joining waits for is not closed.
    private func closeRedundant(with peer: DeviceKey) {
        let redundant = state.withLock { state -> [any Connection] in
            guard let device = state.device, peer < device, state.keptDials.contains(peer) else { return [] }
            let links = state.connections.filter { $0.value.peer == peer && $0.value.dialect == .native }
            guard links.contains(where: { !$0.value.isDialler }) else { return [] }
            return links.filter { $0.value.isDialler && state.attempts[$0.key] == nil }.map(\.value)
        }
        for connection in redundant { connection.close() }
    }

    /// Notes a peer that is dialled to stay connected with it.
    func keep(_ peer: DeviceKey, for device: DeviceKey) {
        state.withLock { state in
            state.device = device
            state.keptDials.insert(peer)
        }
    }

    /// Stops staying connected with a peer.
    func stopKeeping(_ peer: DeviceKey) { state.withLock { _ = $0.keptDials.remove(peer) } }

    func received(_ payload: [UInt8], on connection: any Connection) {
        let (mustDrain, attempt) = state.withLock { state -> (Bool, SyncAttempt?) in
            guard let session = state.sessions[ObjectIdentifier(connection)] else { return (false, nil) }
            state.inputs.append(
                Input(input: .payloadReceived(session, payload[...]), source: (connection, payload.count)))
            return (Self.schedule(&state), state.attempts[session])
        }
        if mustDrain { drain() }
        attempt?.checkBudget()
    }

    func closed(_ connection: any Connection) {
        let (mustDrain, attempt) = state.withLock { state -> (Bool, SyncAttempt?) in
            guard let session = state.sessions.removeValue(forKey: ObjectIdentifier(connection)) else {
                return (false, nil)
            }
            state.connections[session] = nil
            state.inputs.append(Input(input: .linkClosed(session)))
            return (Self.schedule(&state), state.attempts.removeValue(forKey: session))
        }
        attempt?.notify(.closed(nil))
        let remaining = connections(to: connection.peer)
        if remaining.isEmpty { connected.update { $0.remove(connection.peer) } }
        signalLinks()
        if mustDrain { drain() }
    }

    /// A signal for one waiter, the latest caller.
    func linkSignal() -> LinkSignal {
        let signal = LinkSignal()
        state.withLock { $0.linkSignal = signal }
        return signal
    }

    func signalLinks() { state.withLock { $0.linkSignal }?.notify() }

    func connection(_ session: SessionID) -> (any Connection)? { state.withLock { $0.connections[session] } }
    var connectedPeers: [DeviceKey] { state.withLock { $0.connections.values.map(\.peer).sorted() } }

    func connections(to peer: DeviceKey) -> [any Connection] {
        state.withLock { $0.connections.values.filter { $0.peer == peer } }
    }

    /// Ends the streams of peers.
    func finish() { connected.finish() }

    func closeAll() {
        for connection in state.withLock({ Array($0.connections.values) }) { connection.close() }
    }

    // MARK: Requested syncs

    /// Assigns the next connection that this device dials to the attempt's peer to the attempt.
    func prepare(_ attempt: SyncAttempt) { state.withLock { $0.dialled[attempt.peer] = attempt } }

    func forget(_ attempt: SyncAttempt) {
        state.withLock { if $0.dialled[attempt.peer] === attempt { $0.dialled[attempt.peer] = nil } }
    }

    func notify(_ session: SessionID, _ event: SyncAttempt.Event) {
        state.withLock { $0.attempts[session] }?.notify(event)
    }
}
