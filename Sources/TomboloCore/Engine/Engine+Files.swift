// Files: what is wanted, kept and given up (protocol §2.9).
extension Engine {
    static func openFetches<Generator: RandomNumberGenerator>(
        in store: any EventStore, _ generator: inout Generator
    ) throws(StoreError) -> [FileID: FileFetch] {
        var fetches: [FileID: FileFetch] = [:]
        for record in try store.wantedFiles().prefix(Limits.fetches) {
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
        effects.append(.done(request))
    }

    /// Takes note of chunks that somebody else has put into the store.
    mutating func addFile(
        _ request: RequestID, _ file: FileID, _ held: RangeSet<Int>, _ store: any EventStore
    ) throws(StoreError) {
        if let why = try whyNotKeep(file, store) { return effects.append(.failed(request, why)) }
        if let fetch = fetches[file] {
            fetches[file]?.take(held.subtracting(fetch.held))
        } else {
            let before = try store.file(file)?.held ?? RangeSet()
            try store.put(FileRecord(id: file, isWanted: false, held: held.union(before)))
            effects.append(.fileChanged(file))
        }
        effects.append(.done(request))
    }

    /// Fetches a file from whoever has it, be it later.
    mutating func wantFile(
        _ request: RequestID, _ id: FileID, from offset: UInt64?, _ store: any EventStore
    ) throws(StoreError) {
        if let offset, let shape = fetches[id]?.shape { fetches[id]?.cursor = shape.leaf(ofByte: offset) }
        if fetches[id] == nil, try store.file(id)?.isComplete != true {
            let groups = try store.groups(referringTo: id)
            guard !groups.isEmpty else { return effects.append(.failed(request, .unknownFile(id))) }
            if let why = try whyNotKeep(id, store) { return effects.append(.failed(request, why)) }
            guard fetches.count < Limits.fetches else {
                return effects.append(
                    .failed(request, .notAllowed("\(Limits.fetches) files are being fetched: drop one, or wait")))
            }
            try beginFetch(id, in: groups, from: offset, store)
        }
        effects.append(.done(request))
    }

    private mutating func beginFetch(
        _ id: FileID, in groups: [Int64], from offset: UInt64?, _ store: any EventStore
    ) throws(StoreError) {
        let record = FileRecord(id: id, isWanted: true, held: try store.file(id)?.held ?? RangeSet())
        try store.put(record)
        var fetch = FileFetch(record, groups: groups, startingAnywhere: &generator)
        if let offset { fetch.cursor = fetch.shape.leaf(ofByte: offset) }
        fetches[id] = fetch
        fetchesChanged += 1
    }

    private func whyNotKeep(_ id: FileID, _ store: any EventStore) throws(StoreError) -> EngineError? {
        guard try store.file(id) == nil else { return nil }
        let (sum, isTooMuch) = try store.fileBytes().addingReportingOverflow(id.size)
        return isTooMuch || sum > fileLimits.quota ? .fileQuota(quota: fileLimits.quota) : nil
    }

    mutating func dropFile(_ request: RequestID, _ id: FileID, _ store: any EventStore) throws(StoreError) {
        try forgetFile(id, store)
        effects.append(.done(request))
    }

    /// Fetches no more of a file until it is wanted again; what is here stays.
    mutating func pauseFetch(_ id: FileID, _ store: any EventStore) throws(StoreError) {
        guard let fetch = fetches.removeValue(forKey: id) else { return }
        try store.put(FileRecord(id: id, isWanted: false, held: fetch.held))
        leaveFile(id)
    }

    private mutating func forgetFile(_ id: FileID, _ store: any EventStore) throws(StoreError) {
        guard try store.file(id) != nil else { return }
        try store.removeFile(id)
        fetches[id] = nil
        leaveFile(id)
    }

    private mutating func leaveFile(_ id: FileID) {
        for index in sessions.indices {
            for chunk in sessions[index].files.asked.keys where chunk.file == id {
                sessions[index].files.asked[chunk] = nil
            }
            endSource(id, session: index)
        }
        effects.append(.fileChanged(id))
    }

    // MARK: Following the events that refer to files

    /// What is small is fetched at once, of who may say it; what is wanted may be had in one more group.
    mutating func noteFiles(
        of delivered: [StoredHeader], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let reference = groups[group].record.reference
        for event in delivered where event.hasContent && !event.header.extensions.isEmpty {
            for file in event.header.files {
                if fetches[file] != nil {
                    if fetches[file]?.groups.insert(reference).inserted == true { fetchesChanged += 1 }
                } else if file.size <= fileLimits.automatic, fetches.count < Limits.fetches,
                    groups[group].recent[event.id]?.status == .delivered, try store.file(file) == nil,
                    try whyNotKeep(file, store) == nil
                {
                    try beginFetch(file, in: [reference], from: nil, store)
                }
            }
        }
    }

    /// With the last event that refers to it a file goes, too.
    mutating func forgetFiles(of erased: [StoredHeader], _ store: any EventStore) throws(StoreError) {
        for event in erased where !event.header.extensions.isEmpty {
            for file in event.header.files {
                let left = try store.groups(referringTo: file)
                fetches[file]?.groups = Set(left)
                if left.isEmpty { try forgetFile(file, store) }
            }
        }
    }

    // MARK: Chunks that do not verify

    /// Whether a chunk is here as it must be. If not, or if a node above it is not, that one is given up, and fetched again.
    mutating func check(
        _ position: Int, of id: FileID, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        guard var record = try store.file(id) else { return false }
        if let held = fetches[id]?.held { record.held = held }
        var fetch = FileFetch(record)
        var path = [position]
        while let parent = fetch.shape.parent(of: path[0])?.position { path.insert(parent, at: 0) }
        for node in path where record.held.contains(node) {
            let bytes = try store.chunk(node, of: id)
            if let bytes, bytes.count == fetch.shape.bytes(at: node),
                try fetch.hash(of: node, in: store) == cryptography.sha256(bytes)
            {
                continue
            }
            record.held.remove(node)
            record.isWanted = true
            try store.put(record)
            if fetches[id] != nil {
                fetches[id]?.lose(node)
            } else if fetches.count < Limits.fetches {
                try beginFetch(id, in: try store.groups(referringTo: id), from: nil, store)
            }
            effects.append(.fileChanged(id))
            return false
        }
        return record.held.contains(position)
    }
}
