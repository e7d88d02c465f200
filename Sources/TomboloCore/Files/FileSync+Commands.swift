// Requests of the application, and the fetches that they begin and end.
extension FileSync {
    mutating func setLimits(
        _ request: RequestID, _ new: FileLimits, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        try batch.store.setValue(new.encoded, forKey: FileLimits.key)
        limits = new
        mayRefill = true
        batch.effects.append(.done(request))
    }

    /// Counts chunks that the application has put into the store.
    mutating func add(
        _ request: RequestID, _ file: FileID, held: RangeSet<Int>, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        if try batch.store.file(file) == nil, exceedsQuota(file) {
            return batch.fail(request, .fileQuota(quota: limits.quota))
        }
        if let fetch = fetches[file] {
            fetches[file]?.receive(held.subtracting(fetch.held))
        } else {
            let before = try batch.store.file(file)
            let all = held.union(before?.held ?? RangeSet())
            try put(FileRecord(id: file, want: before?.want ?? .none, held: all), in: batch.store)
            batch.effects.append(.fileChanged(file))
        }
        batch.effects.append(.done(request))
    }

    /// Begins to fetch a file, now or when a peer that has it is met.
    ///
    /// - Parameter offset: the first byte that the application needs; nil if any order will do.
    mutating func want(
        _ request: RequestID, _ id: FileID, from offset: UInt64?, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let record = try batch.store.file(id)
        if record?.isComplete == true, fetches[id] == nil { return batch.effects.append(.done(request)) }
        if fetches[id]?.want != .asked {
            guard try batch.store.isReferred(to: id) else { return batch.fail(request, .unknownFile(id)) }
            if record?.charge ?? 0 == 0, exceedsQuota(id) {
                return batch.fail(request, .fileQuota(quota: limits.quota))
            }
            let asked = fetches.values.count { $0.want == .asked }
            guard asked < Limits.fetches - Limits.automaticFetches else {
                return batch.refuse(request, "\(asked) files are being fetched: drop one, or wait")
            }
            try beginFetch(id, .asked, in: &batch)
        }
        if let offset, let shape = fetches[id]?.shape { fetches[id]?.cursor = shape.leaf(ofByte: offset) }
        batch.effects.append(.done(request))
    }

    /// Deletes the chunks of a file and ends its fetch.
    mutating func drop(
        _ request: RequestID, _ id: FileID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        try delete(id, in: &batch)
        batch.effects.append(.done(request))
    }

    /// Checks one chunk for the application.
    mutating func check(
        _ request: RequestID, _ position: Int, of id: FileID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        _ = try check(position, of: id, in: &batch)
        batch.effects.append(.done(request))
    }

    // MARK: Fetches

    /// Begins a fetch, or changes why the file is wanted.
    mutating func beginFetch(
        _ id: FileID, _ want: FileRecord.Want, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let held = if let fetch = fetches[id] { fetch.held } else { try batch.store.file(id)?.held ?? RangeSet() }
        try put(FileRecord(id: id, want: want, held: held), in: batch.store)
        guard fetches[id] == nil else {
            fetches[id]?.want = want
            return
        }
        let groups = try batch.store.groups(referringTo: id)
        let record = FileRecord(id: id, want: want, held: held)
        fetches[id] = FileFetch(record, groups: groups, startingAnywhere: &batch.generator)
        fetchesChanged += 1
    }

    /// Ends a fetch until the file is wanted again. The held chunks stay.
    mutating func pauseFetch(_ id: FileID, in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard let fetch = fetches.removeValue(forKey: id) else { return }
        try put(FileRecord(id: id, held: fetch.held), in: batch.store)
        leave(id, in: &batch)
    }

    mutating func delete(_ id: FileID, in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard let record = try batch.store.file(id) else { return }
        try batch.store.removeFile(id)
        chargedBytes -= record.charge
        fetches[id] = nil
        leave(id, in: &batch)
    }

    private mutating func leave(_ id: FileID, in batch: inout Batch<some Cryptography>) {
        mayRefill = true
        for index in sessions.indices { endSource(id, session: index) }
        batch.effects.append(.fileChanged(id))
    }

    // MARK: Accounting

    /// Stores what is known of a file, and counts it towards the quota.
    mutating func put(_ record: FileRecord, in store: any EventStore) throws(StoreError) {
        let before = try store.file(record.id)
        try store.put(record)
        chargedBytes += record.charge
        chargedBytes -= before?.charge ?? 0
    }

    /// Whether one more file would exceed the quota.
    func exceedsQuota(_ id: FileID) -> Bool {
        id.charge > limits.quota || chargedBytes > limits.quota - id.charge
    }
}
