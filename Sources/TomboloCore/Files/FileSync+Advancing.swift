// The end of a batch: requests, chunks and announcements that it calls for.
extension FileSync {
    /// Asks a peer for the files that are wanted here and that events of a common group refer to.
    mutating func requestWanted(
        over session: SessionID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard let index = sessions.index(of: session) else { return }
        let matched = sessions.values[index].groups.count
        if matched != sessions.values[index].matchedGroups {
            sessions.values[index].matchedGroups = matched
            rotateFetches()
            try refill(in: &batch)
        } else if sessions.values[index].fetchesSeen == fetchesChanged {
            return
        }
        sessions.values[index].fetchesSeen = fetchesChanged
        for id in fetches.keys.sorted() where sessions.values[index].sources[id] == nil {
            let group = sessions.values[index].groups.first { group in
                group.isRequested && fetches[id]?.groups.contains(group.reference) == true
            }
            guard let group else { continue }
            sessions.values[index].sources[id] = FileSession.Source(group: group, toldAt: batch.now)
            sessions.values[index].say(.want(id), in: group)
        }
        send(index, in: &batch)
    }

    /// Stops waiting for a peer that is silent. The engine calls it for all sessions before it advances any.
    mutating func noteStall(_ session: SessionID, at now: UInt64) {
        guard let index = sessions.index(of: session),
            let deadline = sessions.values[index].deadline(after: Self.patience), deadline <= now
        else { return }
        for (id, source) in sessions.values[index].sources where source.toldAt + Self.patience <= now {
            sessions.values[index].sources[id]?.hasAnswered = true
        }
        guard let oldest = sessions.values[index].asked.values.min(),
            max(oldest, sessions.values[index].lastArrival) + Self.patience <= now
        else { return }
        sessions.values[index].isStalled = true
        sessions.values[index].pacing.noteStall()
        releaseChunks(index)
    }

    /// Sends the chunks that a peer requested, requests more from it, and tells it when this device needs nothing more.
    mutating func advance(_ session: SessionID, in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard let index = sessions.index(of: session), !sessions.values[index].isUnused else { return }
        try sendChunks(index, in: &batch)
        for id in sessions.values[index].sources.keys.sorted() {
            guard let source = sessions.values[index].sources[id] else { continue }
            guard let fetch = fetches[id], !fetch.isComplete else {
                endSource(id, session: index)
                continue
            }
            let isUseful =
                !source.held.isEmpty && source.failed.ranges.count < 4 * Limits.chunkRanges
                && fetch.isHelped(by: source.offered)
            sessions.values[index].sources[id]?.isUseful = isUseful
            if source.hasAnswered { fetches[id]?.isUnavailable = !isUseful }
            guard !isUseful, source.isWaiting else { continue }
            sessions.values[index].sources[id]?.isWaiting = false
            sessions.values[index].say(.enough(id, isFinal: false), in: source.group)
        }
        requestChunks(index, at: batch.now)
        send(index, in: &batch)
    }

    /// Tells a peer that no more of a file is wanted.
    mutating func endSource(_ id: FileID, session index: Int) {
        guard let source = sessions.values[index].sources.removeValue(forKey: id) else { return }
        for chunk in sessions.values[index].asked.keys where chunk.file == id {
            fetches[id]?.asked.remove(chunk.position)
            sessions.values[index].asked[chunk] = nil
        }
        sessions.values[index].late = sessions.values[index].late.filter { $0.file != id }
        sessions.values[index].say(.enough(id, isFinal: true), in: source.group)
    }

    private mutating func sendChunks(_ index: Int, in batch: inout Batch<some Cryptography>) throws(StoreError) {
        let requested = sessions.values[index].requested
        guard !requested.isEmpty else { return }
        sessions.values[index].requested = []
        var held: [FileID: RangeSet<Int>] = [:]
        for chunk in requested {
            guard let interest = sessions.values[index].interests[chunk.file] else { continue }
            if held[chunk.file] == nil {
                held[chunk.file] = try self.held(of: chunk.file, inGroup: interest.group, in: batch.store)
            }
            let isHere = held[chunk.file]?.contains(chunk.position) == true
            if isHere, let bytes = try batch.store.chunk(chunk.position, of: chunk.file) {
                sessions.values[index].interests[chunk.file]?.sent.insert(chunk.position)
                // At once, and not with the other messages: the bytes are copied once only.
                let payload = Payload.encodedChunk(
                    bytes, at: chunk.position, of: chunk.file, number: interest.group.number.value)
                batch.effects.append(.send(sessions.ids[index], payload))
            } else {
                if isHere { _ = try check(chunk.position, of: chunk.file, in: &batch) }
                sessions.values[index].say(.decline(chunk.file, chunk.position), in: interest.group)
            }
        }
    }

    private mutating func requestChunks(_ index: Int, at now: UInt64) {
        if sessions.values[index].asked.isEmpty, sessions.values[index].late.isEmpty {
            sessions.values[index].isStalled = false
        }
        guard !fetches.isEmpty, !sessions.values[index].isStalled else { return }
        let limit = sessions.values[index].requestLimit
        var room = limit - sessions.values[index].asked.count
        // Not for each chunk that comes: one message requests several.
        guard room > 0, room >= limit / 4 else { return }
        for id in sessions.values[index].sources.keys.sorted() where room > 0 {
            guard let source = sessions.values[index].sources[id], source.isUseful,
                let chosen = fetches[id]?.choose(from: source.offered, limit: room), !chosen.isEmpty
            else { continue }
            room -= chosen.count
            var wanted = RangeSet<Int>()
            for position in chosen {
                sessions.values[index].asked[.init(id, position)] = now
                sessions.values[index].late.remove(.init(id, position))
                wanted.insert(position)
            }
            sessions.values[index].say(.request(id, wanted), in: source.group)
        }
    }

    /// Stores the chunks that the batch brought, and tells the peers that want them.
    mutating func save(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        for id in fetches.keys.sorted() {
            guard let fetch = fetches[id], !fetch.fresh.isEmpty else { continue }
            fetches[id]?.fresh = RangeSet()
            try put(FileRecord(id: id, want: fetch.isComplete ? .none : fetch.want, held: fetch.held), in: batch.store)
            batch.effects.append(.fileChanged(id))
            for index in sessions.indices where !sessions.values[index].isClosed {
                guard let interest = sessions.values[index].interests[id],
                    fetch.groups.contains(interest.group.reference)
                else { continue }
                let theirs = sessions.values[index].sources[id]?.held ?? RangeSet()
                let news = fetch.fresh.subtracting(theirs).subtracting(interest.told)
                if !news.isEmpty { tell(news, of: id, session: index) }
            }
            if fetch.isComplete {
                fetches[id] = nil
                mayRefill = true
            }
        }
        for index in sessions.indices where !sessions.values[index].isClosed {
            guard !sessions.values[index].isUnused || sessions.values[index].isTransferring else { continue }
            send(index, in: &batch)
            noteTransferring(index, in: &batch)
        }
    }

    /// Informs the application whether chunks are on their way over a session, where that has changed.
    ///
    /// The engine calls it before it reports agreements, so that no application ends a session while chunks are about
    /// to arrive.
    mutating func noteTransferring(_ session: SessionID, in batch: inout Batch<some Cryptography>) {
        guard let index = sessions.index(of: session) else { return }
        noteTransferring(index, in: &batch)
    }

    private mutating func noteTransferring(_ index: Int, in batch: inout Batch<some Cryptography>) {
        let isBusy = !sessions.values[index].isUnused && sessions.values[index].isBusy
        guard isBusy != sessions.values[index].isTransferring else { return }
        sessions.values[index].isTransferring = isBusy
        batch.effects.append(.transferring(sessions.ids[index], isBusy))
    }

    private mutating func send(_ index: Int, in batch: inout Batch<some Cryptography>) {
        for payload in sessions.values[index].takePayloads() { batch.send(payload, over: sessions.ids[index]) }
    }
}
