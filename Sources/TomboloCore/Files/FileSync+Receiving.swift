// File messages of peers (protocol 5.8).
extension FileSync {
    /// Receives a message about a file.
    ///
    /// - Parameter number: this side's number of the group that the message came in.
    mutating func receive(
        _ message: FileMessage, inGroup number: ReplicaIndex, from session: SessionID,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard let index = sessions.index(of: session),
            let group = sessions.values[index].groups.first(where: { $0.number == number })
        else { return }
        switch message {
        case .want(let id):
            guard group.isServed else { return sessions.values[index].say(.have(id, RangeSet()), in: group) }
            guard sessions.values[index].interests.count < Limits.fetches else { return }
            sessions.values[index].interests[id] = FileSession.Interest(group: group)
            tell(try held(of: id, inGroup: group, in: batch.store), of: id, session: index)
        case .have(let id, let held): noteHeld(held, of: id, session: index)
        case .request(let id, let wanted): noteRequest(wanted, of: id, in: group, session: index)
        case .chunk(let id, let position, let bytes):
            try receive(bytes, as: .init(id, position), session: index, in: &batch)
        case .decline(let id, let position):
            guard noteArrival(.init(id, position), session: index, at: batch.now) else { return }
            sessions.values[index].sources[id]?.failed.insert(position)
        case .doubt(let id, let position):
            // Once for each chunk that was sent: the check costs more than the message.
            guard sessions.values[index].interests[id]?.sent.contains(position) == true else { return }
            sessions.values[index].interests[id]?.sent.remove(position)
            _ = try check(position, of: id, in: &batch)
        case .enough(let id, let isFinal):
            guard let interest = sessions.values[index].interests[id] else { return }
            sessions.values[index].interests[id]?.isSatisfied = true
            if isFinal {
                sessions.values[index].interests[id] = nil
                return
            }
            // The ranges that one message had no room for.
            let more = try held(of: id, inGroup: interest.group, in: batch.store).subtracting(interest.told)
            if !more.isEmpty { tell(more, of: id, session: index) }
        }
    }

    private mutating func noteHeld(_ held: RangeSet<Int>, of id: FileID, session index: Int) {
        // The file may be wanted no more. A peer that has very many ranges is asked for some of them.
        guard let source = sessions.values[index].sources[id] else { return }
        sessions.values[index].sources[id]?.hasAnswered = true
        guard source.held.ranges.count < 4 * Limits.chunkRanges else { return }
        sessions.values[index].sources[id]?.held.formUnion(held)
        guard !held.isEmpty else { return }
        sessions.values[index].sources[id]?.isWaiting = true
        // Until the end of the batch, which looks more closely: the application must not hang up before.
        sessions.values[index].sources[id]?.isUseful = true
    }

    private mutating func noteRequest(
        _ wanted: RangeSet<Int>, of id: FileID, in group: FileGroup, session index: Int
    ) {
        let room = Limits.requestedChunks - sessions.values[index].requested.count
        let told = sessions.values[index].interests[id]?.told ?? RangeSet()
        for position in wanted.ranges.joined().prefix(room) {
            if told.contains(position) {
                sessions.values[index].requested.append(.init(id, position))
            } else {
                sessions.values[index].say(.decline(id, position), in: group)
            }
        }
    }

    /// The held positions of a file, if events of the group refer to it.
    func held(of id: FileID, inGroup group: FileGroup, in store: any EventStore) throws(StoreError) -> RangeSet<Int> {
        guard try store.groups(referringTo: id).contains(group.reference) else { return RangeSet() }
        if let fetch = fetches[id] { return fetch.held }
        return try store.file(id)?.held ?? RangeSet()
    }

    /// Informs a peer that wants a file of the held positions.
    mutating func tell(_ held: RangeSet<Int>, of id: FileID, session index: Int) {
        guard let interest = sessions.values[index].interests[id] else { return }
        let told = RangeSet(held.ranges.prefix(Limits.chunkRanges))
        sessions.values[index].interests[id]?.told.formUnion(told)
        if !told.isEmpty { sessions.values[index].interests[id]?.isSatisfied = false }
        sessions.values[index].say(.have(id, told), in: interest.group)
    }

    // MARK: Chunks

    /// Notes that a peer has answered a request.
    ///
    /// - Returns: false if this device never asked the peer for the chunk.
    private mutating func noteArrival(_ chunk: FileSession.Chunk, session index: Int, at now: UInt64) -> Bool {
        sessions.values[index].isStalled = false
        sessions.values[index].lastArrival = now
        guard let askedAt = sessions.values[index].asked.removeValue(forKey: chunk) else {
            return sessions.values[index].late.remove(chunk) != nil
        }
        sessions.values[index].pacing.noteArrival(askedAt: askedAt, now: now)
        fetches[chunk.file]?.asked.remove(chunk.position)
        return true
    }

    private mutating func receive(
        _ bytes: Bytes, as chunk: FileSession.Chunk, session index: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        // A chunk that was not asked for, or is not wanted any more, is ignored.
        guard noteArrival(chunk, session: index, at: batch.now) else { return }
        let (id, position) = (chunk.file, chunk.position)
        guard let fetch = fetches[id], !fetch.held.contains(position) else { return }
        let hash = try fetches[id]?.hash(of: position, in: batch.store)
        guard bytes.count == fetch.shape.bytes(at: position),
            bytes.withUnsafeBytes({ batch.cryptography.sha256($0) }) == hash
        else {
            // The node that holds the hash may have rotted here.
            if let parent = fetch.shape.parent(of: position)?.position, !(try check(parent, of: id, in: &batch)) {
                return
            }
            guard let group = sessions.values[index].sources[id]?.group else { return }
            sessions.values[index].sources[id]?.failed.insert(position)
            return sessions.values[index].say(.doubt(id, position), in: group)
        }
        if fetch.held.isEmpty, fetch.want == .automatic {
            // From here on the file counts towards the quota. Others may have come first.
            guard !exceedsQuota(id) else { return try pauseFetch(id, in: &batch) }
        }
        do {
            try batch.store.setChunk(bytes, at: position, of: id)
        } catch {
            // The disk may be full: messages must go on all the same.
            return try pauseFetch(id, in: &batch)
        }
        fetches[id]?.receive(RangeSet(position..<position + 1))
        if fetch.held.isEmpty {
            try put(FileRecord(id: id, want: fetch.want, held: fetches[id]?.held ?? RangeSet()), in: batch.store)
        }
    }

    /// Lets other peers be asked for the chunks that a peer did not send. A chunk that comes late is still received.
    mutating func releaseChunks(_ index: Int) {
        for chunk in sessions.values[index].asked.keys {
            fetches[chunk.file]?.asked.remove(chunk.position)
            sessions.values[index].late.insert(chunk)
        }
        sessions.values[index].asked = [:]
    }
}
