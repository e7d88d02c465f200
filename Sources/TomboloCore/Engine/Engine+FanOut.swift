// Passing on what a group changes to sessions and files.
extension Engine {
    /// Passes on everything that a group has changed since the last call.
    mutating func fanOut(from replica: Int, in batch: inout Batch<Crypto>) throws(StoreError) {
        guard replicas[replica].hasChanges else { return }
        let index = ReplicaIndex(value: replica)
        for change in replicas[replica].takeChanges() {
            switch change {
            case .stored(let events, let source):
                forEachGroupSession(of: index) { session, group, frontier in
                    guard !session.isClosed else { return }
                    let isSource = session.link.session == source
                    session.groups[group].note(stored: events, isSource: isSource, frontier)
                }
            case .ephemeral(let message, let source): send(message, of: index, except: source, in: &batch)
            case .referred(let referred):
                try files.note(delivered: referred, inGroup: replicas[replica].record.reference, in: &batch)
            case .erased(let events, let erased):
                forEachGroupSession(of: index) { session, group, _ in session.groups[group].outbox.erase(events) }
                try files.note(erased: erased, in: &batch)
            case .raisedFloors(let logs):
                forEachGroupSession(of: index) { session, group, _ in session.groups[group].note(raisedFloors: logs) }
            case .concernsAllSessions: resting.concernsAll = true
            case .removalsMaySpread: mayPostRemovals = true
            }
        }
    }

    private mutating func forEachGroupSession(
        of replica: ReplicaIndex, _ body: (inout Session, _ group: Int, Frontier) -> Void
    ) {
        let frontier = replicas[replica.value].frontier
        for index in sessions.indices {
            guard let group = sessions[index].index(of: replica) else { continue }
            body(&sessions[index], group.value, frontier)
        }
    }

    /// Sends an ephemeral event to all peers of a group that want events pushed.
    private mutating func send(
        _ message: Message, of replica: ReplicaIndex, except source: SessionID?, in batch: inout Batch<Crypto>
    ) {
        let bytes = message.encoded
        var framed: [UInt8] = []
        framed.append(varint: bytes.count)
        framed += bytes
        var sync = GroupSync(number: replica.value)
        sync.ephemeral = framed[...]
        for index in sessions.indices where sessions[index].link.session != source && !sessions[index].isClosed {
            guard let group = sessions[index].index(of: replica)?.value, sessions[index].groups[group].isMatched,
                !sessions[index].groups[group].outbox.isPeerLazy, sessions[index].groups[group].policy.sends
            else { continue }
            batch.send(sync, over: sessions[index].link.session)
        }
    }
}
