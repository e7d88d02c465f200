/// What a device knows of all logs of a group, and the Merkle root over it (protocol §3).
package struct Frontier {
    package private(set) var logs: [LogState] = []
    private var indexOfLog: [LogID: Int] = [:]
    /// The store's numbers for the logs, ascending, and the logs' indices.
    private var places: [(reference: Int64, index: Int)] = []
    /// Indices of the logs whose ids begin with this byte, in ascending order of their ids.
    private var buckets: [[Int]] = Array(repeating: [], count: 256)
    /// Zero where it is to be made.
    private var leaves: [Bytes32] = []
    private var bucketHashes: [Bytes32?] = Array(repeating: .zero, count: 256)
    private var knownRoot: Bytes32? = .zero
    /// Whether the beginning of a log is forgotten.
    private(set) var hasFloors = false
    /// How often anything has changed.
    package private(set) var changes: UInt64 = 0
    /// The last sequence of each log that is one chain, 0 of others: what a peer holds of them that knows the same.
    private(set) var linearEnds = SequenceTable()
    /// The ids that were last asked for, up to which of the store's numbers.
    private var ids: (reference: Int64, ids: [LogID])?

    package init(_ logs: [LogState] = []) {
        for log in logs { append(log) }
    }

    /// The highest of the store's numbers for the logs.
    package private(set) var lastReference: Int64 = 0

    package func index(of id: LogID) -> Int? { indexOfLog[id] }
    func certificate(ofLog id: LogID) -> Certificate? { indexOfLog[id].flatMap { logs[$0].certificate } }
    package func index(ofReference reference: Int64) -> Int? {
        let place = places.partitionPoint { $0.reference >= reference }
        return place < places.count && places[place].reference == reference ? places[place].index : nil
    }

    package subscript(index: Int) -> LogState { logs[index] }

    @discardableResult
    package mutating func append(_ log: LogState) -> Int {
        let index = logs.count
        logs.append(log)
        leaves.append(.zero)
        indexOfLog[log.id] = index
        places.insert((log.reference, index), at: places.partitionPoint { $0.reference > log.reference })
        lastReference = max(lastReference, log.reference)
        if let known = ids, log.reference <= known.reference { ids = nil }
        note(index)
        let bucket = log.id.value.firstByte
        let position = buckets[bucket].firstIndex { logs[$0].id > log.id } ?? buckets[bucket].endIndex
        buckets[bucket].insert(index, at: position)
        invalidate(index)
        return index
    }

    package mutating func update<Result, Failure: Error>(
        _ index: Int, _ change: (inout LogState) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        invalidate(index)
        defer { note(index) }
        return try change(&logs[index])
    }

    /// Takes the store's copy of what is known of a log, which it may share with other stores.
    mutating func share(_ log: LogState, at index: Int) { if logs[index] == log { logs[index] = log } }

    private mutating func invalidate(_ index: Int) {
        leaves[index] = .zero
        bucketHashes[logs[index].id.value.firstByte] = nil
        knownRoot = nil
        changes += 1
    }

    private mutating func note(_ index: Int) {
        hasFloors = hasFloors || logs[index].floor > 0
        linearEnds[index] = logs[index].isLinear ? logs[index].lastSequence : 0
    }

    /// The logs whose numbers are not above `reference`, in ascending order of their ids.
    package mutating func ids(upTo reference: Int64) -> [LogID] {
        if let ids, ids.reference == reference { return ids.ids }
        var found: [LogID] = []
        found.reserveCapacity(logs.count)
        for bucket in buckets {
            for index in bucket where logs[index].reference <= reference { found.append(logs[index].id) }
        }
        ids = (reference, found)
        return found
    }

    /// The root: equal roots, equal knowledge.
    package mutating func root(using cryptography: some Cryptography) -> Bytes32 {
        if let knownRoot { return knownRoot }
        var all: [UInt8] = []
        all.reserveCapacity(256 * 32)
        for bucket in 0..<256 {
            if bucketHashes[bucket] == nil {
                bucketHashes[bucket] = bucketHash(bucket, using: cryptography)
            }
            (bucketHashes[bucket] ?? .zero).append(to: &all)
        }
        let isEmpty = !logs.contains(where: \.isKnown)
        let root = isEmpty ? .zero : cryptography.sha256(all)
        knownRoot = root
        return root
    }

    /// The Merkle leaf of a log.
    mutating func leaf(ofLog index: Int, using cryptography: some Cryptography) -> Bytes32 {
        if leaves[index] == .zero { leaves[index] = logs[index].leaf(using: cryptography) }
        return leaves[index]
    }

    private mutating func bucketHash(_ bucket: Int, using cryptography: some Cryptography) -> Bytes32 {
        var buffer: [UInt8] = []
        // A log of which nothing is held yet (only its name is known) is no part of what is known.
        for index in buckets[bucket] where logs[index].isKnown {
            leaf(ofLog: index, using: cryptography).append(to: &buffer)
        }
        return buffer.isEmpty ? .zero : cryptography.sha256(buffer)
    }
}

extension Bytes32 {
    var firstByte: Int { Int(word0 >> 56) }
}
