// Events that begin or cease to refer to files, and files that are fetched without being asked for.
extension FileSync {
    /// Notes that delivered events of a group refer to files. Small ones are fetched automatically.
    ///
    /// - Parameters:
    ///   - files: each as often as an event names it.
    ///   - group: the store's number of the group.
    mutating func note(
        delivered files: [FileID], inGroup group: Int64, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        for file in files {
            if fetches[file] != nil {
                if fetches[file]?.groups.insert(group).inserted == true { fetchesChanged += 1 }
            } else if file.size <= limits.automatic, try batch.store.file(file) == nil {
                try put(FileRecord(id: file, want: .automatic), in: batch.store)
                mayRefill = true
            }
        }
    }

    /// Notes that erased events no longer refer to files. A file is deleted with the last event that refers to it.
    mutating func note(erased files: [FileID], in batch: inout Batch<some Cryptography>) throws(StoreError) {
        for file in files {
            guard try batch.store.isReferred(to: file) else {
                try delete(file, in: &batch)
                continue
            }
            guard let fetch = fetches[file] else { continue }
            let left = Set(try batch.store.groups(referringTo: file))
            fetches[file]?.groups = left
            // From now on the file is fetched over another group.
            for index in sessions.indices {
                guard let source = sessions.values[index].sources[file] else { continue }
                if !left.contains(source.group.reference) { endSource(file, session: index) }
            }
            if left != fetch.groups { fetchesChanged += 1 }
        }
    }

    // MARK: Automatic fetches

    /// Begins automatic fetches where there is room, going round and round through all files that wait.
    mutating func refill(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard mayRefill else { return }
        var room = Limits.automaticFetches - fetches.values.count { $0.want == .automatic }
        guard room > 0 else { return }
        mayRefill = false
        for start in [refillCursor, nil] {
            let waiting = try batch.store.wantedFiles(.automatic, after: start, limit: Limits.automaticFetches + room)
            for record in waiting {
                guard room > 0 else {
                    mayRefill = true
                    return
                }
                refillCursor = record.id
                guard fetches[record.id] == nil, !record.held.isEmpty || !exceedsQuota(record.id) else { continue }
                try beginFetch(record.id, .automatic, in: &batch)
                room -= 1
            }
            if start == nil { break }
        }
    }

    /// Ends automatic fetches of files that no known peer has, so that a new peer is asked for others.
    mutating func rotateFetches() {
        guard mayRefill else { return }
        for id in fetches.keys.sorted() where fetches[id]?.want == .automatic && fetches[id]?.asked.isEmpty == true {
            guard fetches[id]?.isUnavailable == true,
                !sessions.values.contains(where: { $0.sources[id]?.isUseful == true })
            else { continue }
            fetches[id] = nil
            for index in sessions.indices { endSource(id, session: index) }
        }
    }
}
