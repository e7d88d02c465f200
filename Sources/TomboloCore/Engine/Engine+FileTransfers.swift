// Files between two peers: who wants what, who has what, chunks (protocol §5.8).
extension Engine {
    /// Milliseconds after which a peer that sends no chunk, or does not say what it has, is not waited for.
    static var patienceForChunks: UInt64 { 10_000 }

    /// Tells a peer which files are wanted here that events of a group refer to which both have.
    mutating func sayWants(_ index: Int, _ store: any EventStore) throws(StoreError) {
        let matched = sessions[index].groups.count(where: \.isMatched)
        if matched != sessions[index].files.matchedGroups {
            sessions[index].files.matchedGroups = matched
            rotateFetches()
            try refillFetches(store)
        } else if sessions[index].files.wantsSaid == fetchesChanged {
            return
        }
        defer { sendMessages(index) }
        sessions[index].files.wantsSaid = fetchesChanged
        for id in fetches.keys.sorted() where sessions[index].files.sources[id] == nil {
            let group = sessions[index].groups.indices.first { group in
                let number = sessions[index].groups[group].group
                return sessions[index].groups[group].isMatched && !sessions[index].groups[group].peerOnlyTakes
                    && fetches[id]?.groups.contains(groups[number].record.reference) == true
            }
            guard let group else { continue }
            sessions[index].files.sources[id] = FileSession.Source(group: group, toldAt: now)
            say(.want(id), group, session: index)
        }
    }

    /// With whatever else is said of files in this batch.
    private mutating func say(_ message: FileMessage, _ group: Int, session index: Int) {
        sessions[index].files.unsaid.append((group, message.encoded[...]))
    }

    private mutating func sendMessages(_ index: Int) {
        guard !sessions[index].files.unsaid.isEmpty else { return }
        let unsaid = sessions[index].files.unsaid
        sessions[index].files.unsaid = []
        var payload = Payload()
        var bytes = 0
        for (group, message) in unsaid {
            if bytes + message.count > Limits.payload - 4_096 {
                send(payload, to: index)
                (payload, bytes) = (Payload(), 0)
            }
            let number = sessions[index].groups[group].group
            if payload.groups.last?.number != UInt64(number) { payload.groups.append(GroupSync(number: number)) }
            payload.groups[payload.groups.count - 1].files.append(message)
            bytes += message.count + 16
        }
        send(payload, to: index)
    }

    mutating func receive(
        _ message: FileMessage, _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        switch message {
        case .want(let id):
            guard sessions[index].groups[group].visibility == .shared else {
                return say(.have(id, RangeSet()), group, session: index)
            }
            guard sessions[index].files.interests.count < Limits.fetches else { return }
            sessions[index].files.interests[id] = FileSession.Interest(group: group)
            tell(try heldFor(group, id, session: index, store), of: id, session: index)
        case .have(let id, let held):
            // It may be wanted no more; and who has it in very many parts is asked for some of them.
            guard let source = sessions[index].files.sources[id] else { return }
            sessions[index].files.sources[id]?.hasAnswered = true
            guard source.held.ranges.count < 4 * Limits.chunkRanges else { return }
            sessions[index].files.sources[id]?.held.formUnion(held)
            guard !held.isEmpty else { return }
            sessions[index].files.sources[id]?.isWaiting = true
            // Until it is looked at more closely, at the end of this batch: nobody is to hang up before.
            sessions[index].files.sources[id]?.isUseful = true
        case .request(let id, let wanted):
            let room = Limits.requestedChunks - sessions[index].files.requested.count
            let told = sessions[index].files.interests[id]?.told ?? RangeSet()
            for position in wanted.ranges.joined().prefix(room) {
                if told.contains(position) {
                    sessions[index].files.requested.append(.init(id, position))
                } else {
                    say(.decline(id, position), group, session: index)
                }
            }
        case .chunk(let id, let position, let bytes):
            try take(bytes, as: .init(id, position), session: index, store)
        case .decline(let id, let position):
            guard noteArrival(.init(id, position), session: index) else { return }
            sessions[index].files.sources[id]?.failed.insert(position)
        case .doubt(let id, let position):
            // Once for each that was sent: looking costs more than saying it.
            guard sessions[index].files.interests[id]?.sent.contains(position) == true else { return }
            sessions[index].files.interests[id]?.sent.remove(position)
            try check(position, of: id, store)
        case .enough(let id, let isFinal):
            guard let interest = sessions[index].files.interests[id] else { return }
            sessions[index].files.interests[id]?.isSatisfied = true
            if isFinal {
                sessions[index].files.interests[id] = nil
                return
            }
            // What there was no room for.
            let more = try heldFor(interest.group, id, session: index, store).subtracting(interest.told)
            if !more.isEmpty { tell(more, of: id, session: index) }
        }
    }

    /// What is here of a file that a group's events refer to; the group by its place in the session.
    private func heldFor(
        _ group: Int, _ id: FileID, session index: Int, _ store: any EventStore
    ) throws(StoreError) -> RangeSet<Int> {
        let reference = groups[sessions[index].groups[group].group].record.reference
        guard try store.groups(referringTo: id).contains(reference) else { return RangeSet() }
        if let fetch = fetches[id] { return fetch.held }
        return try store.file(id)?.held ?? RangeSet()
    }

    private mutating func tell(_ held: RangeSet<Int>, of id: FileID, session index: Int) {
        guard let interest = sessions[index].files.interests[id] else { return }
        let said = RangeSet(held.ranges.prefix(Limits.chunkRanges))
        sessions[index].files.interests[id]?.told.formUnion(said)
        if !said.isEmpty { sessions[index].files.interests[id]?.isSatisfied = false }
        say(.have(id, said), interest.group, session: index)
    }

    // MARK: Receiving chunks

    /// Takes note that a peer has answered a request.
    ///
    /// - Returns: whether it was asked for that, be it long ago.
    private mutating func noteArrival(_ chunk: FileSession.Chunk, session index: Int) -> Bool {
        sessions[index].files.isStalled = false
        sessions[index].files.lastArrival = now
        guard let askedAt = sessions[index].files.asked.removeValue(forKey: chunk) else {
            return sessions[index].files.late.remove(chunk) != nil
        }
        sessions[index].files.pacing.noteArrival(askedAt: askedAt, now: now)
        fetches[chunk.file]?.asked.remove(chunk.position)
        return true
    }

    private mutating func take(
        _ bytes: Bytes, as chunk: FileSession.Chunk, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        // What was not asked for, or is not wanted any more, is passed over.
        guard noteArrival(chunk, session: index) else { return }
        let (id, position) = (chunk.file, chunk.position)
        guard let fetch = fetches[id], !fetch.held.contains(position) else { return }
        let hash = try fetches[id]?.hash(of: position, in: store)
        guard bytes.count == fetch.shape.bytes(at: position),
            bytes.withUnsafeBytes({ cryptography.sha256($0) }) == hash
        else {
            // What it is held against may have been spoilt here.
            if let parent = fetch.shape.parent(of: position)?.position, !(try check(parent, of: id, store)) { return }
            guard let group = sessions[index].files.sources[id]?.group else { return }
            sessions[index].files.sources[id]?.failed.insert(position)
            return say(.doubt(id, position), group, session: index)
        }
        if fetch.held.isEmpty, fetch.want == .automatic {
            // From here on it counts; others may have come first.
            guard !isTooMuch(id) else { return try pauseFetch(id, store) }
        }
        do {
            try store.setChunk(bytes, at: position, of: id)
        } catch {
            // The disk is full, or the like: that is no reason to stop for what people say.
            return try pauseFetch(id, store)
        }
        fetches[id]?.take(RangeSet(position..<position + 1))
        if fetch.held.isEmpty {
            try keep(FileRecord(id: id, want: fetch.want, held: fetches[id]?.held ?? RangeSet()), store)
        }
    }

    /// What a peer was asked for and has not sent, others are asked for; if it comes all the same, it is taken.
    mutating func releaseChunks(session index: Int) {
        for chunk in sessions[index].files.asked.keys {
            fetches[chunk.file]?.asked.remove(chunk.position)
            sessions[index].files.late.insert(chunk)
        }
        sessions[index].files.asked = [:]
    }

    // MARK: At the end of a batch

    /// To be called for all sessions before chunks are asked of any.
    mutating func noteStall(_ index: Int) {
        guard let deadline = sessions[index].files.deadline(after: Self.patienceForChunks), deadline <= now else {
            return
        }
        for (id, source) in sessions[index].files.sources where source.toldAt + Self.patienceForChunks <= now {
            sessions[index].files.sources[id]?.hasAnswered = true
        }
        guard let oldest = sessions[index].files.asked.values.min(),
            max(oldest, sessions[index].files.lastArrival) + Self.patienceForChunks <= now
        else { return }
        sessions[index].files.isStalled = true
        sessions[index].files.pacing.noteStall()
        releaseChunks(session: index)
    }

    /// Sends what a peer has asked for, asks it for more, and tells it when enough is here.
    mutating func moveChunks(_ index: Int, _ store: any EventStore) throws(StoreError) {
        guard !sessions[index].files.isUnused else { return }
        try sendChunks(index, store)
        for id in sessions[index].files.sources.keys.sorted() {
            guard let source = sessions[index].files.sources[id] else { continue }
            guard let fetch = fetches[id], !fetch.isComplete else {
                endSource(id, session: index)
                continue
            }
            let isUseful =
                !source.held.isEmpty && source.failed.ranges.count < 4 * Limits.chunkRanges
                && fetch.isHelped(by: source.offered)
            sessions[index].files.sources[id]?.isUseful = isUseful
            if source.hasAnswered { fetches[id]?.isUnavailable = !isUseful }
            guard !isUseful, source.isWaiting else { continue }
            sessions[index].files.sources[id]?.isWaiting = false
            say(.enough(id, isFinal: false), source.group, session: index)
        }
        askForChunks(index)
        sendMessages(index)
    }

    /// Tells a peer that nothing more of a file is wanted.
    mutating func endSource(_ id: FileID, session index: Int) {
        guard let source = sessions[index].files.sources.removeValue(forKey: id) else { return }
        for chunk in sessions[index].files.asked.keys where chunk.file == id {
            fetches[id]?.asked.remove(chunk.position)
            sessions[index].files.asked[chunk] = nil
        }
        sessions[index].files.late = sessions[index].files.late.filter { $0.file != id }
        say(.enough(id, isFinal: true), source.group, session: index)
    }

    private mutating func sendChunks(_ index: Int, _ store: any EventStore) throws(StoreError) {
        let requested = sessions[index].files.requested
        guard !requested.isEmpty else { return }
        sessions[index].files.requested = []
        var held: [FileID: RangeSet<Int>] = [:]
        for chunk in requested {
            guard let interest = sessions[index].files.interests[chunk.file] else { continue }
            if held[chunk.file] == nil {
                held[chunk.file] = try heldFor(interest.group, chunk.file, session: index, store)
            }
            let isHere = held[chunk.file]?.contains(chunk.position) == true
            if isHere, let bytes = try store.chunk(chunk.position, of: chunk.file) {
                sessions[index].files.interests[chunk.file]?.sent.insert(chunk.position)
                sendChunk(bytes, as: chunk, interest.group, session: index)
            } else {
                if isHere { try check(chunk.position, of: chunk.file, store) }
                say(.decline(chunk.file, chunk.position), interest.group, session: index)
            }
        }
    }

    /// What `say` does, copying the bytes once.
    private mutating func sendChunk(
        _ bytes: [UInt8], as chunk: FileSession.Chunk, _ group: Int, session index: Int
    ) {
        guard !sessions[index].isClosed else { return }
        let payload = Payload.encodedChunk(
            bytes, at: chunk.position, of: chunk.file, number: sessions[index].groups[group].group)
        effects.append(.send(sessions[index].link.session, payload))
    }

    private mutating func askForChunks(_ index: Int) {
        if sessions[index].files.asked.isEmpty, sessions[index].files.late.isEmpty {
            sessions[index].files.isStalled = false
        }
        guard !fetches.isEmpty, !sessions[index].files.isStalled else { return }
        let budget = sessions[index].link.windowLimit.map { max(1, $0 / 2 / Limits.chunk) } ?? .max
        let limit = min(sessions[index].files.pacing.limit, budget)
        var room = limit - sessions[index].files.asked.count
        // Not for each chunk that comes.
        guard room > 0, room >= limit / 4 else { return }
        for id in sessions[index].files.sources.keys.sorted() where room > 0 {
            guard let source = sessions[index].files.sources[id], source.isUseful,
                let chosen = fetches[id]?.choose(from: source.offered, limit: room), !chosen.isEmpty
            else { continue }
            room -= chosen.count
            var wanted = RangeSet<Int>()
            for position in chosen {
                sessions[index].files.asked[.init(id, position)] = now
                sessions[index].files.late.remove(.init(id, position))
                wanted.insert(position)
            }
            say(.request(id, wanted), source.group, session: index)
        }
    }

    /// Keeps what has come in this batch, and tells those who want it.
    mutating func saveFiles(_ store: any EventStore) throws(StoreError) {
        for id in fetches.keys.sorted() {
            guard let fetch = fetches[id], !fetch.fresh.isEmpty else { continue }
            fetches[id]?.fresh = RangeSet()
            try keep(FileRecord(id: id, want: fetch.isComplete ? .none : fetch.want, held: fetch.held), store)
            effects.append(.fileChanged(id))
            for index in sessions.indices where !sessions[index].isClosed {
                guard let interest = sessions[index].files.interests[id] else { continue }
                let reference = groups[sessions[index].groups[interest.group].group].record.reference
                guard fetch.groups.contains(reference) else { continue }
                let theirs = sessions[index].files.sources[id]?.held ?? RangeSet()
                let news = fetch.fresh.subtracting(theirs).subtracting(interest.told)
                if !news.isEmpty { tell(news, of: id, session: index) }
            }
            if fetch.isComplete {
                fetches[id] = nil
                mayRefillFetches = true
            }
        }
        for index in sessions.indices where !sessions[index].isClosed {
            sendMessages(index)
            noteTransferring(index)
        }
    }

    /// Says it where it has changed: before an agreement is said, so that nobody hangs up on what is about to be sent.
    mutating func noteTransferring(_ index: Int) {
        // Most sessions speak of no file: nothing of it is looked into, or copied, then.
        let isBusy = !sessions[index].files.isUnused && sessions[index].files.isBusy
        guard isBusy != sessions[index].files.isTransferring else { return }
        sessions[index].files.isTransferring = isBusy
        effects.append(.transferring(sessions[index].link.session, isBusy))
    }
}
