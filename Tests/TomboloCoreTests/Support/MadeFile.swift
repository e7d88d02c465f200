import Testing
import TomboloCore
import TomboloCrypto

/// A file of random bytes with all its chunks. They are not really sealed, since engines do not open them.
struct MadeFile {
    let id: FileID
    let chunks: [Int: [UInt8]]
    var all: RangeSet<Int> { RangeSet([0..<FileShape(size: id.size).count]) }

    /// - Parameter isUniform: true to make all leaves but the last equal, which is faster.
    init(bytes size: Int, seed: UInt64, isUniform: Bool = false) throws {
        var generator = SeededGenerator(seed: seed)
        let shape = FileShape(size: UInt64(size))
        var tree = FileTreeBuilder(shape, using: SwiftCryptography())
        var chunks: [Int: [UInt8]] = [:]
        for leaf in shape.leaves {
            if isUniform, leaf > shape.firstLeaf, leaf + 1 < shape.count, let first = chunks[shape.firstLeaf] {
                chunks[leaf] = first
                for node in tree.append(SwiftCryptography().sha256(first)) { chunks[node.position] = node.bytes }
                continue
            }
            let words = (0..<(shape.bytes(at: leaf) + 7) / 8).map { _ in generator.next() }
            let bytes = words.withUnsafeBytes { Array($0.prefix(shape.bytes(at: leaf))) }
            chunks[leaf] = bytes
            for node in tree.append(SwiftCryptography().sha256(bytes)) { chunks[node.position] = node.bytes }
        }
        let root = try #require(tree.root)
        id = try #require(FileID(size: UInt64(size), root: root))
        self.chunks = chunks
    }

    /// Writes chunks into a store, as a device that adds a file does before it tells the engine.
    func write(_ positions: RangeSet<Int>, into store: MemoryStore) {
        for range in positions.ranges {
            for position in range { store.setChunk(chunks[position]?[...] ?? [], at: position, of: id) }
        }
    }

    func isWhole(in store: MemoryStore) -> Bool {
        store.file(id)?.isComplete == true && chunks.allSatisfy { store.chunk($0.key, of: id) == $0.value }
    }
}

extension Devices {
    /// The messages about files in a payload.
    static func fileMessages(in wire: Wire) -> [FileMessage] {
        let payload = try? Payload(decoding: wire.bytes[...])
        return (payload?.groups ?? []).flatMap(\.files).compactMap { try? FileMessage(decoding: $0) }
    }
}

/// The common parts of tests of files between engines.
protocol FileScenario {}

extension FileScenario {
    /// The size in bytes of a file that is fetched only on request.
    var large: Int { 12 << 20 }
}

/// The same for tests that number their devices.
extension FileScenario {
    /// Creates the devices of a group in which the first device has sent a file.
    ///
    /// - Parameter others: the devices that have fetched the file from the first one.
    func makeDevices(
        _ count: Int, seed: UInt64, bytes: Int, fetchedBy others: [Int] = []
    ) throws -> (devices: Devices, group: GroupID, file: MadeFile) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup()
        let file = try MadeFile(bytes: bytes, seed: seed + 1_000)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, group)
        for other in others {
            let session = try devices.connect(other, 0)
            try devices.settle()
            #expect(try want(file.id, other, devices) == nil)
            try devices.settle()
            try devices.disconnect(session)
        }
        return (devices, group, file)
    }

    private func device(_ device: Int, _ devices: Devices, _ group: GroupID = GroupID(.zero)) -> Cluster.Device {
        Cluster(devices, group: group)[device]
    }

    func add(_ file: MadeFile, to device: Int, only held: RangeSet<Int>? = nil, _ devices: Devices) throws {
        try self.device(device, devices).add(file, only: held)
    }

    @discardableResult
    func say(
        _ files: [FileID], expiry: UInt64? = nil, _ device: Int, _ devices: Devices, _ group: GroupID
    ) throws -> EventID? {
        try self.device(device, devices, group).send(files: files, expiry: expiry)
    }

    func want(_ file: FileID, _ device: Int, _ devices: Devices) throws -> EngineError? {
        try self.device(device, devices).want(file)
    }

    func isWhole(_ file: MadeFile, _ device: Int, _ devices: Devices) -> Bool {
        self.device(device, devices).has(file)
    }

    func messages(_ wire: Devices.Wire) -> [FileMessage] { Devices.fileMessages(in: wire) }

    func chunks(_ wire: Devices.Wire) -> [(file: FileID, position: Int)] {
        messages(wire).compactMap { if case .chunk(let file, let position, _) = $0 { (file, position) } else { nil } }
    }

    func isBusy(_ device: Int, _ devices: Devices) -> Bool { self.device(device, devices).isBusy }

    func spoil(_ position: Int, of file: MadeFile, on device: Int, _ devices: Devices) throws {
        self.device(device, devices).spoil(position, of: file)
    }
}
