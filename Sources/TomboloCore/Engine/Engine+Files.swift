// Files: what is wanted, kept and given up (protocol §2.9).
extension Engine {
    static func openFetches<Generator: RandomNumberGenerator>(
        in store: any EventStore, _ generator: inout Generator
    ) throws(StoreError) -> [FileID: FileFetch] {
        var fetches: [FileID: FileFetch] = [:]
        for record in try store.wantedFiles(.asked, after: nil, limit: Limits.fetches - Limits.automaticFetches) {
            let groups = try store.groups(referringTo: record.id)
            fetches[record.id] = FileFetch(record, groups: groups, startingAnywhere: &generator)
        }
        return fetches
    }

    mutating func setFileLimits(
        _ request: RequestID, _ limits: FileLimits, _ store: any EventStore
    ) throws(StoreError) {
        try store.setValue(limits.encoded, forKey: FileLimits.key)
        fileLimits = limits
        mayRefillFetches = true
        effects.append(.done(request))
    }

    /// Keeps what is known of a file, and counts it.
    mutating func keep(_ record: FileRecord, _ store: any EventStore) throws(StoreError) {
        let before = try store.file(record.id)
        try store.put(record)
        fileBytes += record.charge
        fileBytes -= before?.charge ?? 0
    }

    /// Takes note of chunks that somebody else has put into the store.
    mutating func addFile(
        _ request: RequestID, _ file: FileID, _ held: RangeSet<Int>, _ store: any EventStore
    ) throws(StoreError) {
        if try store.file(file) == nil, isTooMuch(file) {
            return effects.append(.failed(request, .fileQuota(quota: fileLimits.quota)))
        }
        if let fetch = fetches[file] {
            fetches[file]?.take(held.subtracting(fetch.held))
        } else {
            let before = try store.file(file)
            let all = held.union(before?.held ?? RangeSet())
            try keep(FileRecord(id: file, want: before?.want ?? .none, held: all), store)
            effects.append(.fileChanged(file))
        }
        effects.append(.done(request))
    }

    /// Fetches a file from whoever has it, be it later.
    mutating func wantFile(
        _ request: RequestID, _ id: FileID, from offset: UInt64?, _ store: any EventStore
    ) throws(StoreError) {
        let record = try store.file(id)
        if record?.isComplete == true, fetches[id] == nil { return effects.append(.done(request)) }
        if fetches[id]?.want != .asked {
            guard try store.isReferred(to: id) else { return effects.append(.failed(request, .unknownFile(id))) }
            if record?.charge ?? 0 == 0, isTooMuch(id) {
                return effects.append(.failed(request, .fileQuota(quota: fileLimits.quota)))
            }
            let asked = fetches.values.count { $0.want == .asked }
            guard asked < Limits.fetches - Limits.automaticFetches else {
                return effects.append(
                    .failed(request, .notAllowed("\(asked) files are being fetched: drop one, or wait")))
            }
            try beginFetch(id, .asked, store)
        }
        if let offset, let shape = fetches[id]?.shape { fetches[id]?.cursor = shape.leaf(ofByte: offset) }
        effects.append(.done(request))
    }

    /// Begins, or goes on with, fetching a file.
    private mutating func beginFetch(
        _ id: FileID, _ want: FileRecord.Want, _ store: any EventStore
    ) throws(StoreError) {
        let held = if let fetch = fetches[id] { fetch.held } else { try store.file(id)?.held ?? RangeSet() }
        try keep(FileRecord(id: id, want: want, held: held), store)
        guard fetches[id] == nil else {
            fetches[id]?.want = want
            return
        }
        let groups = try store.groups(referringTo: id)
        let record = FileRecord(id: id, want: want, held: held)
        fetches[id] = FileFetch(record, groups: groups, startingAnywhere: &generator)
        fetchesChanged += 1
    }

    /// Whether a file more would be more than the device gives to files.
    func isTooMuch(_ id: FileID) -> Bool {
        id.charge > fileLimits.quota || fileBytes > fileLimits.quota - id.charge
    }

    mutating func dropFile(_ request: RequestID, _ id: FileID, _ store: any EventStore) throws(StoreError) {
        try forgetFile(id, store)
        effects.append(.done(request))
    }

    /// Fetches no more of a file until it is wanted again; what is here stays.
    mutating func pauseFetch(_ id: FileID, _ store: any EventStore) throws(StoreError) {
        guard let fetch = fetches.removeValue(forKey: id) else { return }
        try keep(FileRecord(id: id, held: fetch.held), store)
        leaveFile(id)
    }

    private mutating func forgetFile(_ id: FileID, _ store: any EventStore) throws(StoreError) {
        guard let record = try store.file(id) else { return }
        try store.removeFile(id)
        fileBytes -= record.charge
        fetches[id] = nil
        leaveFile(id)
    }

    private mutating func leaveFile(_ id: FileID) {
        mayRefillFetches = true
        for index in sessions.indices { endSource(id, session: index) }
        effects.append(.fileChanged(id))
    }

    // MARK: What is fetched by itself

    /// Begins fetches that nobody has asked for where there is room for them, going through all that wait, round and round.
    mutating func refillFetches(_ store: any EventStore) throws(StoreError) {
        guard mayRefillFetches else { return }
        var room = Limits.automaticFetches - fetches.values.count { $0.want == .automatic }
        guard room > 0 else { return }
        mayRefillFetches = false
        for start in [fetchCursor, nil] {
            for record in try store.wantedFiles(.automatic, after: start, limit: Limits.automaticFetches + room) {
                guard room > 0 else {
                    mayRefillFetches = true
                    return
                }
                fetchCursor = record.id
                guard fetches[record.id] == nil, !record.held.isEmpty || !isTooMuch(record.id) else { continue }
                try beginFetch(record.id, .automatic, store)
                room -= 1
            }
            if start == nil { break }
        }
    }

    /// With a new peer, files that others did not have make room for those that wait.
    mutating func rotateFetches() {
        guard mayRefillFetches else { return }
        for id in fetches.keys.sorted() where fetches[id]?.want == .automatic && fetches[id]?.asked.isEmpty == true {
            guard fetches[id]?.isUnavailable == true,
                !sessions.contains(where: { $0.files.sources[id]?.isUseful == true })
            else { continue }
            fetches[id] = nil
            for index in sessions.indices { endSource(id, session: index) }
        }
    }

    // MARK: Following the events that refer to files

    /// What is small is fetched by itself, of who may say it; what is wanted may be had in one more group.
    mutating func noteFiles(
        of delivered: [StoredHeader], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let reference = groups[group].record.reference
        for event in delivered where event.hasContent && !event.header.extensions.isEmpty {
            guard groups[group].recent[event.id]?.status == .delivered else { continue }
            for file in event.header.files {
                if fetches[file] != nil {
                    if fetches[file]?.groups.insert(reference).inserted == true { fetchesChanged += 1 }
                } else if file.size <= fileLimits.automatic, try store.file(file) == nil {
                    try keep(FileRecord(id: file, want: .automatic), store)
                    mayRefillFetches = true
                }
            }
        }
    }

    /// With the last event that refers to it a file goes, too.
    mutating func forgetFiles(of erased: [StoredHeader], _ store: any EventStore) throws(StoreError) {
        for event in erased where !event.header.extensions.isEmpty {
            for file in event.header.files {
                guard try store.isReferred(to: file) else {
                    try forgetFile(file, store)
                    continue
                }
                guard let fetch = fetches[file] else { continue }
                let left = Set(try store.groups(referringTo: file))
                fetches[file]?.groups = left
                // It is fetched over another group from now on.
                for index in sessions.indices {
                    guard let source = sessions[index].files.sources[file] else { continue }
                    let number = sessions[index].groups[source.group].group
                    if !left.contains(groups[number].record.reference) { endSource(file, session: index) }
                }
                if left != fetch.groups { fetchesChanged += 1 }
            }
        }
    }

    // MARK: Chunks that do not verify

    /// Looks whether a chunk is here as it must be. If it is not, or if a node above it is not, that one is given up, and fetched again.
    ///
    /// - Returns: whether it is; what lacks a node above it cannot be judged.
    @discardableResult
    mutating func check(
        _ position: Int, of id: FileID, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        guard var record = try store.file(id) else { return false }
        if let held = fetches[id]?.held { record.held = held }
        var fetch = FileFetch(record)
        var path = [position]
        while let parent = fetch.shape.parent(of: path[0])?.position { path.insert(parent, at: 0) }
        for node in path {
            guard record.held.contains(node) else { return false }
            let bytes = try store.chunk(node, of: id)
            if let bytes, bytes.count == fetch.shape.bytes(at: node),
                try fetch.hash(of: node, in: store) == cryptography.sha256(bytes)
            {
                continue
            }
            record.held.remove(node)
            fetches[id]?.lose(node)
            try keep(record, store)
            let want = record.want == .none ? FileRecord.Want.asked : record.want
            if fetches.count < Limits.fetches { try beginFetch(id, want, store) }
            effects.append(.fileChanged(id))
            return false
        }
        return true
    }
}
