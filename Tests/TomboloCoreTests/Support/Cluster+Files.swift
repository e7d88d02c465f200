import TomboloCore
import TomboloCrypto

extension Cluster {
    /// Creates a group in which the first device has sent a file.
    ///
    /// - Parameter others: the devices that have fetched the file from the first one.
    static func sharing(
        bytes: Int, among names: String..., seed: UInt64, fetchedBy others: [String] = []
    ) throws -> (cluster: Cluster, file: MadeFile) {
        let cluster = try Cluster(names: names, seed: seed)
        let file = try MadeFile(bytes: bytes, seed: seed + 1_000)
        try cluster[0].add(file)
        try cluster[0].send(files: [file.id])
        for other in others {
            let session = try cluster.connect(other, 0)
            try cluster.settle()
            if let refusal = try cluster[other].want(file.id) { throw refusal }
            try cluster.settle()
            try cluster.disconnect(session)
        }
        return (cluster, file)
    }
}

extension Cluster.Device {
    /// Adds a file as an application does that has its chunks.
    ///
    /// - Parameter held: the chunks that the device has; nil means all.
    func add(_ file: MadeFile, only held: RangeSet<Int>? = nil) throws {
        let held = held ?? file.all
        file.write(held, into: store)
        try step(.addFile(1, file.id, held: held))
    }

    /// Sends a message that refers to files, a millisecond later.
    ///
    /// - Returns: the message's id; nil if the message was refused.
    @discardableResult
    func send(files: [FileID], expiry: UInt64? = nil, in group: GroupID? = nil) throws -> EventID? {
        cluster.advance(by: 1)
        return try append([1], expiry: expiry, files: files, in: group)
    }

    /// Asks for a file.
    func want(_ file: FileID) throws -> EngineError? { try request(.wantFile(1, file)) }

    /// Tells whether the device has all chunks of a file.
    func has(_ file: MadeFile) -> Bool { file.isWhole(in: store) }

    /// Damages a stored chunk without the engine's knowledge.
    func spoil(_ position: Int, of file: MadeFile) {
        var chunk = file.chunks[position] ?? [0]
        chunk[chunk.count / 2] ^= 1
        store.setChunk(chunk[...], at: position, of: file.id)
    }
}

extension Cluster.Wire {
    /// The messages about files in the payload.
    var fileMessages: [FileMessage] {
        (payload?.groups ?? []).flatMap(\.files).compactMap { try? FileMessage(decoding: $0) }
    }

    /// The chunks in the payload.
    var chunks: [(file: FileID, position: Int)] {
        fileMessages.compactMap {
            if case .chunk(let file, let position, _) = $0 { (file, position) } else { nil }
        }
    }
}
