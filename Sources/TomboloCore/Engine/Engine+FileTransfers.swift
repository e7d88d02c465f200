// Files between two peers: who wants what, who has what, chunks (protocol §5.8).
extension Engine {
    /// Milliseconds after which a peer that sends no chunk is not waited for, if another one has what it was asked for.
    static var patienceForChunks: UInt64 { 10_000 }

    /// Tells a peer which files are wanted here that events of a group refer to which both have.
    mutating func sayWants(_ index: Int) {
        guard sessions[index].files.wantsSaid != fetchesChanged + sessions[index].groups.count(where: \.isMatched)
        else {
            return
        }
        sessions[index].files.wantsSaid = fetchesChanged + sessions[index].groups.count(where: \.isMatched)
        for id in fetches.keys.sorted() where sessions[index].files.sources[id] == nil {
            let group = sessions[index].groups.indices.first { group in
                let number = sessions[index].groups[group].group
                return sessions[index].groups[group].isMatched
                    && fetches[id]?.groups.contains(groups[number].record.reference) == true
            }
            guard let group else { continue }
            sessions[index].files.sources[id] = FileSession.Source(group: group)
            say(.want(id), group, session: index)
        }
    }

    private mutating func say(_ message: FileMessage, _ group: Int, session index: Int) {
        var sync = GroupSync(number: sessions[index].groups[group].group)
        sync.files = [message.encoded[...]]
        send(sync, to: index)
    }

    mutating func receive(
        _ message: FileMessage, _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        switch message {
        case .want(let id):
            guard sessions[index].files.interests.count < Limits.fetches else { return }
            let held = try heldFor(groups[sessions[index].groups[group].group].record.reference, id, store)
            sessions[index].files.interests[id] = FileSession.Interest(group: group)
            tell(held, of: id, session: index)
        case .have(let id, let held):
            // It may be wanted no more.
            guard sessions[index].files.sources[id] != nil else { return }
            sessions[index].files.sources[id]?.hasAnswered = true
            sessions[index].files.sources[id]?.isSatisfied = false
            sessions[index].files.sources[id]?.held.formUnion(held)
        case .request(let id, let wanted):
            guard let told = sessions[index].files.interests[id]?.told else { return }
            for range in wanted.intersection(told).ranges {
                let room = Limits.requestedChunks - sessions[index].files.requested.count
                for position in range.prefix(room) { sessions[index].files.requested.append(.init(id, position)) }
            }
        case .chunk(let id, let position, let bytes):
            try take(bytes, as: .init(id, position), session: index, store)
        case .decline(let id, let position):
            giveUp(.init(id, position), session: index)
        case .doubt(let id, let position):
            guard sessions[index].files.interests[id]?.told.contains(position) == true else { return }
            _ = try check(position, of: id, store)
        case .enough(let id, let isFinal):
            sessions[index].files.interests[id]?.isSatisfied = true
            if isFinal { sessions[index].files.interests[id] = nil }
        }
    }

    /// What is here of a file that events of a group refer to.
    private func heldFor(
        _ group: Int64, _ id: FileID, _ store: any EventStore
    ) throws(StoreError) -> RangeSet<Int> {
        guard try store.groups(referringTo: id).contains(group) else { return RangeSet() }
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

    private mutating func take(
        _ bytes: Bytes, as chunk: FileSession.Chunk, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        // What was not asked for, or is not wanted any more, is passed over.
        guard let askedAt = sessions[index].files.asked.removeValue(forKey: chunk) else { return }
        sessions[index].files.pacing.noteArrival(askedAt: askedAt, now: now)
        sessions[index].files.lastArrival = now
        sessions[index].files.isStalled = false
        let (id, position) = (chunk.file, chunk.position)
        guard let fetch = fetches[id], !fetch.held.contains(position) else { return }
        let hash = try fetches[id]?.hash(of: position, in: store)
        if bytes.count == fetch.shape.bytes(at: position), bytes.withUnsafeBytes({ cryptography.sha256($0) }) == hash {
            do {
                try store.setChunk(bytes, at: position, of: id)
                fetches[id]?.take(RangeSet(position..<position + 1))
            } catch  where error.code == .full {
                // Whatever room is left is for what people say.
                try pauseFetch(id, store)
            }
            return
        }
        // What it is held against may have been spoilt here.
        fetches[id]?.asked.remove(position)
        if let parent = fetch.shape.parent(of: position)?.position, !(try check(parent, of: id, store)) { return }
        giveUp(chunk, session: index)
        if let group = sessions[index].files.sources[id]?.group { say(.doubt(id, position), group, session: index) }
    }

    /// The peer is not asked for a chunk again; others are.
    private mutating func giveUp(_ chunk: FileSession.Chunk, session index: Int) {
        sessions[index].files.asked[chunk] = nil
        sessions[index].files.sources[chunk.file]?.failed.insert(chunk.position)
        fetches[chunk.file]?.asked.remove(chunk.position)
    }

    /// What a peer was asked for and has not sent, others are asked for.
    mutating func releaseChunks(session index: Int) {
        for chunk in sessions[index].files.asked.keys { fetches[chunk.file]?.asked.remove(chunk.position) }
    }

    // MARK: At the end of a batch

    /// Sends what a peer has asked for, asks it for more, and tells it when enough is here.
    mutating func moveChunks(_ index: Int, _ store: any EventStore) throws(StoreError) {
        try sendChunks(index, store)
        noteStall(index)
        askForChunks(index)
        for id in sessions[index].files.sources.keys.sorted() {
            guard let source = sessions[index].files.sources[id] else { continue }
            guard let fetch = fetches[id], !fetch.isComplete else {
                endSource(id, session: index)
                continue
            }
            guard source.hasAnswered, !source.isSatisfied,
                source.held.subtracting(source.failed).subtracting(fetch.held).isEmpty
            else { continue }
            sessions[index].files.sources[id]?.isSatisfied = true
            if !source.held.isEmpty { say(.enough(id, isFinal: false), source.group, session: index) }
        }
    }

    /// Tells a peer that nothing more of a file is wanted.
    mutating func endSource(_ id: FileID, session index: Int) {
        guard let source = sessions[index].files.sources.removeValue(forKey: id) else { return }
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
                let reference = groups[sessions[index].groups[interest.group].group].record.reference
                held[chunk.file] = try heldFor(reference, chunk.file, store)
            }
            let isHere = held[chunk.file]?.contains(chunk.position) == true
            if isHere, let bytes = try store.chunk(chunk.position, of: chunk.file) {
                sendChunk(bytes, as: chunk, interest.group, session: index)
            } else {
                if isHere { _ = try check(chunk.position, of: chunk.file, store) }
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

    private mutating func noteStall(_ index: Int) {
        guard let deadline = sessions[index].files.stallDeadline(after: Self.patienceForChunks), deadline <= now else {
            return
        }
        sessions[index].files.isStalled = true
        sessions[index].files.pacing.noteStall()
        releaseChunks(session: index)
    }

    private mutating func askForChunks(_ index: Int) {
        guard !fetches.isEmpty, !sessions[index].files.isStalled else { return }
        let budget = sessions[index].link.windowLimit.map { max(1, $0 / 2 / Limits.chunk) } ?? .max
        let limit = min(sessions[index].files.pacing.limit, budget)
        var room = limit - sessions[index].files.asked.count
        // Not for each chunk that comes.
        guard room > 0, room >= limit / 4 else { return }
        for id in sessions[index].files.sources.keys.sorted() where room > 0 {
            guard let source = sessions[index].files.sources[id], source.hasAnswered, !source.isSatisfied,
                let chosen = fetches[id]?.choose(from: source.held.subtracting(source.failed), limit: room),
                !chosen.isEmpty
            else { continue }
            room -= chosen.count
            var wanted = RangeSet<Int>()
            for position in chosen {
                sessions[index].files.asked[.init(id, position)] = now
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
            try store.put(FileRecord(id: id, isWanted: !fetch.isComplete, held: fetch.held))
            effects.append(.fileChanged(id))
            for index in sessions.indices where !sessions[index].isClosed {
                guard let interest = sessions[index].files.interests[id] else { continue }
                let reference = groups[sessions[index].groups[interest.group].group].record.reference
                guard fetch.groups.contains(reference) else { continue }
                let theirs = sessions[index].files.sources[id]?.held ?? RangeSet()
                let news = fetch.fresh.subtracting(theirs).subtracting(interest.told)
                if !news.isEmpty { tell(news, of: id, session: index) }
            }
            if fetch.isComplete { fetches[id] = nil }
        }
        for index in sessions.indices where !sessions[index].isClosed { noteTransferring(index) }
    }

    /// Says it where it has changed: before an agreement is said, so that nobody hangs up on what is about to be sent.
    mutating func noteTransferring(_ index: Int) {
        let isBusy = sessions[index].files.isBusy
        guard isBusy != sessions[index].files.isTransferring else { return }
        sessions[index].files.isTransferring = isBusy
        effects.append(.transferring(sessions[index].link.session, isBusy))
    }
}
