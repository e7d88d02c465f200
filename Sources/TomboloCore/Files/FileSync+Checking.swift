// Chunks that rot on the disk, or that a peer doubts.
extension FileSync {
    /// Checks a stored chunk against its hash, from the root of the file's tree down. The first damaged one is given
    /// up, and fetched again.
    ///
    /// - Returns: whether the chunk is intact; false too if a node above it is missing.
    mutating func check(
        _ position: Int, of id: FileID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Bool {
        guard var record = try batch.store.file(id) else { return false }
        if let held = fetches[id]?.held { record.held = held }
        var fetch = FileFetch(record)
        var path = [position]
        while let parent = fetch.shape.parent(of: path[0])?.position { path.insert(parent, at: 0) }
        for node in path {
            guard record.held.contains(node) else { return false }
            let bytes = try batch.store.chunk(node, of: id)
            if let bytes, bytes.count == fetch.shape.bytes(at: node),
                try fetch.hash(of: node, in: batch.store) == batch.cryptography.sha256(bytes)
            {
                continue
            }
            record.held.remove(node)
            fetches[id]?.lose(node)
            try put(record, in: batch.store)
            let want = record.want == .none ? FileRecord.Want.asked : record.want
            if fetches.count < Limits.fetches { try beginFetch(id, want, in: &batch) }
            batch.effects.append(.fileChanged(id))
            return false
        }
        return true
    }
}
