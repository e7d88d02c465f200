/// The frontier of a group: the state of each log on this device, and the Merkle root over all of them (protocol 3-1,
/// 3-3).
package struct Frontier {
    package private(set) var logs: [LogState] = []
    private var indexOfLog: [LogID: Int] = [:]
    /// The store's numbers of the logs, ascending, with the logs' indices.
    private var places: [(reference: Int64, index: Int)] = []
    /// For each first byte of an id: the indices of the logs with such ids, in ascending order of the ids.
    private var buckets: [[Int]] = Array(repeating: [], count: 256)
    /// The Merkle leaves by the logs' indices; zero for one that is to be computed again.
    private var leaves: [Bytes32] = []
    private var bucketHashes: [Bytes32?] = Array(repeating: .zero, count: 256)
    private var knownRoot: Bytes32? = .zero
    /// Whether the beginning of any log is forgotten.
    private(set) var hasFloors = false
    /// The number of changes since the frontier was loaded.
    package private(set) var changes: UInt64 = 0
    /// The last sequence of each log that is one chain from the floor; 0 for other logs.
    ///
    /// A peer with the same root holds these logs up to there.
    private(set) var linearEnds = SequenceTable()
    /// The last result of ``ids(upTo:)``.
    private var ids: (reference: Int64, ids: [LogID])?

    package init(_ logs: [LogState] = []) {
        for log in logs { append(log) }
    }

    /// The highest of the store's numbers of the logs.
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

    /// Replaces a log's state by the store's equal copy, so that both share memory.
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

    /// The ids of the logs with store numbers up to `reference`, ascending.
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

    /// The root of the frontier (protocol 3-3). Two devices with equal roots know the same events.
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

    /// The Merkle leaf of a log (protocol 3-3).
    mutating func leaf(ofLog index: Int, using cryptography: some Cryptography) -> Bytes32 {
        if leaves[index] == .zero { leaves[index] = logs[index].leaf(using: cryptography) }
        return leaves[index]
    }

    private mutating func bucketHash(_ bucket: Int, using cryptography: some Cryptography) -> Bytes32 {
        var buffer: [UInt8] = []
        // A log of which nothing was ever held has no leaf: only its name is known.
        for index in buckets[bucket] where logs[index].isKnown {
            leaf(ofLog: index, using: cryptography).append(to: &buffer)
        }
        return buffer.isEmpty ? .zero : cryptography.sha256(buffer)
    }
}

extension Bytes32 {
    var firstByte: Int { Int(word0 >> 56) }
}
