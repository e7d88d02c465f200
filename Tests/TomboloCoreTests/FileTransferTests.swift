import Testing
import TomboloCore
import TomboloCrypto

/// Files between engines: stores in memory, links that carry what is said at once.
@Suite("Files between devices") struct FileTransferTests {
    private struct Made {
        let id: FileID
        let chunks: [Int: [UInt8]]
        var all: RangeSet<Int> { RangeSet([0..<FileShape(size: id.size).count]) }
    }

    /// A file of random bytes: what seals it is of no interest to engines.
    private func makeFile(_ size: Int, seed: UInt64) throws -> Made {
        var generator = SeededGenerator(seed: seed)
        let shape = FileShape(size: UInt64(size))
        var tree = FileTreeBuilder(shape, using: SwiftCryptography())
        var chunks: [Int: [UInt8]] = [:]
        for leaf in shape.leaves {
            let words = (0..<(shape.bytes(at: leaf) + 7) / 8).map { _ in generator.next() }
            let bytes = words.withUnsafeBytes { Array($0.prefix(shape.bytes(at: leaf))) }
            chunks[leaf] = bytes
            for node in tree.append(SwiftCryptography().sha256(bytes)) { chunks[node.position] = node.bytes }
        }
        let root = try #require(tree.root)
        return Made(id: try #require(FileID(size: UInt64(size), root: root)), chunks: chunks)
    }

    private func add(_ file: Made, to device: Int, only held: RangeSet<Int>? = nil, _ devices: Devices) throws {
        let held = held ?? file.all
        for range in held.ranges {
            for position in range {
                devices.devices[device].store.setChunk(file.chunks[position]?[...] ?? [], at: position, of: file.id)
            }
        }
        try devices.step(device, [.addFile(70, file.id, held: held)])
    }

    @discardableResult
    private func say(
        _ files: [FileID], expiry: UInt64? = nil, _ device: Int, _ devices: Devices, _ group: GroupID
    ) throws -> EventID? {
        devices.now += 1
        try devices.step(
            device, [.append(71, group: group, kind: .message, content: [1], expiry: expiry, files: files)])
        for effect in devices.devices[device].effects.reversed() {
            if case .appended(71, let id) = effect { return id }
        }
        return nil
    }

    private func want(_ file: FileID, _ device: Int, _ devices: Devices) throws -> EngineError? {
        try devices.step(device, [.wantFile(72, file)])
        for effect in devices.devices[device].effects.reversed() {
            switch effect {
            case .done(72): return nil
            case .failed(72, let error): return error
            default: break
            }
        }
        return nil
    }

    private func isWhole(_ file: Made, _ device: Int, _ devices: Devices) -> Bool {
        let store = devices.devices[device].store
        return store.file(file.id)?.isComplete == true
            && file.chunks.allSatisfy { store.chunk($0.key, of: file.id) == $0.value }
    }

    private func messages(_ wire: Devices.Wire) -> [FileMessage] {
        let payload = try? Payload(decoding: wire.bytes[...])
        return (payload?.groups ?? []).flatMap(\.files).compactMap { try? FileMessage(decoding: $0) }
    }

    private func chunks(_ wire: Devices.Wire) -> [(file: FileID, position: Int)] {
        messages(wire).compactMap { if case .chunk(let file, let position, _) = $0 { (file, position) } else { nil } }
    }

    private let large = 12 << 20

    @Test func whatIsSmallComesByItselfAndWhatIsLargeWhenItIsAskedFor() throws {
        let devices = try Devices(3, seed: 1)
        let group = try devices.makeGroup()
        let files = try [makeFile(0, seed: 1), makeFile(200_000, seed: 2), makeFile(large, seed: 3)]
        for file in files { try add(file, to: 0, devices) }
        try say(files.map(\.id).sorted(), 0, devices, group)
        let session = try devices.connect(1, 0)
        try devices.settle()
        #expect(isWhole(files[0], 1, devices) && isWhole(files[1], 1, devices))
        #expect(devices.devices[1].store.file(files[2].id) == nil)
        #expect(try want(files[2].id, 1, devices) == nil)
        try devices.settle()
        #expect(isWhole(files[2], 1, devices))
        #expect(devices.devices[1].store.wantedFiles().isEmpty)
        try devices.disconnect(session)
        // From one who has fetched it, to one who wants it before it has met anybody.
        try devices.connect(2, 1)
        try devices.settle()
        #expect(try want(files[2].id, 2, devices) == nil)
        try devices.settle()
        #expect(isWhole(files[2], 2, devices))
    }

    @Test func severalGiveDifferentPartsAndNoneIsSentTwice() throws {
        let devices = try Devices(4, seed: 2)
        let group = try devices.makeGroup()
        let file = try makeFile(large, seed: 4)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, group)
        for device in 1...2 {
            let session = try devices.connect(device, 0)
            try devices.settle()
            #expect(try want(file.id, device, devices) == nil)
            try devices.settle()
            try devices.disconnect(session)
        }
        var sent: [Int: [Int]] = [:]
        devices.intercept = { [self] wire in
            for chunk in chunks(wire) { sent[wire.from, default: []].append(chunk.position) }
            return wire.bytes
        }
        for device in 0...2 { try devices.connect(3, device) }
        try devices.settle()
        #expect(try want(file.id, 3, devices) == nil)
        try devices.settle()
        #expect(isWhole(file, 3, devices))
        #expect(sent.values.flatMap(\.self).sorted() == Array(0..<FileShape(size: file.id.size).count))
        for device in 0...2 { #expect((sent[device]?.count ?? 0) > 40, "device \(device)") }
    }

    /// Two who have different halves give them to each other.
    @Test func whoFetchesGivesAsWell() throws {
        let devices = try Devices(3, seed: 3)
        let group = try devices.makeGroup()
        let file = try makeFile(large, seed: 5)
        let shape = FileShape(size: file.id.size)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, group)
        for device in 1...2 {
            let session = try devices.connect(device, 0)
            try devices.settle()
            try devices.disconnect(session)
            let half = device == 1 ? 0..<shape.count / 2 : shape.count / 2..<shape.count
            try add(file, to: device, only: RangeSet([0..<1, half]), devices)
            #expect(try want(file.id, device, devices) == nil)
        }
        try devices.connect(1, 2)
        try devices.settle()
        #expect(isWhole(file, 1, devices) && isWhole(file, 2, devices))
    }

    @Test func whatComesWrongIsRefusedAndFetchedFromAnother() throws {
        let devices = try Devices(3, seed: 4)
        let group = try devices.makeGroup()
        let file = try makeFile(large, seed: 6)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, group)
        let first = try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        try devices.settle()
        try devices.disconnect(first)
        // One bit of a leaf, and one of the root, have rotted on the first device's disk.
        for position in [0, 17] {
            var chunk = try #require(file.chunks[position])
            chunk[1_000] ^= 4
            devices.devices[0].store.setChunk(chunk[...], at: position, of: file.id)
        }
        var doubted: Set<Int> = []
        devices.intercept = { [self] wire in
            for case .doubt(_, let position) in messages(wire) { doubted.insert(position) }
            return wire.bytes
        }
        try devices.connect(2, 0)
        try devices.settle()
        #expect(try want(file.id, 2, devices) == nil)
        try devices.settle()
        #expect(!isWhole(file, 2, devices))
        try devices.connect(2, 1)
        try devices.settle()
        #expect(isWhole(file, 2, devices))
        #expect(doubted.contains(0))
        #expect(devices.errors(2).isEmpty && devices.errors(0).isEmpty)
        // Who was told looks for itself, and gets again what it has lost.
        try devices.connect(0, 1)
        try devices.settle()
        try devices.step(0, [.checkChunk(73, file.id, 17)])
        try devices.settle()
        #expect(isWhole(file, 0, devices))
    }

    /// Chunks that nobody can have made are refused, whatever else a peer does; others bring them.
    @Test func whoLiesIsNotBelieved() throws {
        let devices = try Devices(3, seed: 5)
        let group = try devices.makeGroup()
        let file = try makeFile(large, seed: 7)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, group)
        let first = try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        try devices.settle()
        try devices.disconnect(first)
        devices.intercept = { [self] wire in
            guard wire.from == 0, wire.to == 2, !chunks(wire).isEmpty else { return wire.bytes }
            var bytes = wire.bytes
            bytes[bytes.count - 3] ^= 1
            return bytes
        }
        try devices.connect(2, 0)
        try devices.connect(2, 1)
        try devices.settle()
        #expect(try want(file.id, 2, devices) == nil)
        try devices.settle()
        #expect(isWhole(file, 2, devices))
    }

    @Test func whatALinkTookAlongOthersAreAskedFor() throws {
        let devices = try Devices(3, seed: 6)
        let group = try devices.makeGroup()
        let file = try makeFile(large, seed: 8)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, group)
        let first = try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        try devices.settle()
        try devices.disconnect(first)
        let dying = try devices.connect(2, 0)
        try devices.connect(2, 1)
        try devices.settle()
        var carried = 0
        devices.intercept = { [self] wire in
            guard wire.session == dying, !chunks(wire).isEmpty else { return wire.bytes }
            carried += 1
            return carried > 30 ? nil : wire.bytes
        }
        #expect(try want(file.id, 2, devices) == nil)
        while carried <= 30, !devices.queue.isEmpty {
            let wire = devices.queue.removeFirst()
            guard let bytes = devices.intercept(wire) else { continue }
            try devices.step(wire.to, [.payloadReceived(wire.session, bytes[...])])
        }
        #expect(!isWhole(file, 2, devices))
        try devices.disconnect(dying)
        try devices.settle()
        #expect(isWhole(file, 2, devices))
    }

    /// A peer that says nothing any more, over a link that stands.
    @Test func whoSendsNothingIsNotWaitedForWhereAnotherHasIt() throws {
        let devices = try Devices(3, seed: 7)
        let group = try devices.makeGroup()
        let file = try makeFile(large, seed: 9)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, group)
        let first = try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        try devices.settle()
        try devices.disconnect(first)
        devices.intercept = { [self] wire in wire.from == 0 && wire.to == 2 && !chunks(wire).isEmpty ? nil : wire.bytes
        }
        try devices.connect(2, 0)
        try devices.connect(2, 1)
        try devices.settle()
        #expect(try want(file.id, 2, devices) == nil)
        try devices.settle()
        #expect(isWhole(file, 2, devices))
    }

    @Test func itGoesOnAfterARestart() throws {
        let devices = try Devices(2, seed: 8)
        let group = try devices.makeGroup()
        let file = try makeFile(large, seed: 10)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, group)
        let session = try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        for _ in 0..<60 where !devices.queue.isEmpty {
            let wire = devices.queue.removeFirst()
            try devices.step(wire.to, [.payloadReceived(wire.session, wire.bytes[...])])
        }
        try devices.disconnect(session)
        let before = try #require(devices.devices[1].store.file(file.id)).held.positions
        #expect(before > 10 && before < file.chunks.count)
        devices.devices[1] = try Devices.Device(seed: 99, store: devices.devices[1].store)
        var again = 0
        devices.intercept = { [self] wire in
            again += chunks(wire).count
            return wire.bytes
        }
        try devices.connect(1, 0)
        try devices.settle()
        #expect(isWhole(file, 1, devices))
        #expect(again == file.chunks.count - before)
    }

    @Test func withTheLastThatRefersToItAFileGoes() throws {
        let devices = try Devices(2, seed: 9)
        let group = try devices.makeGroup()
        let (one, other) = (try makeFile(100_000, seed: 11), try makeFile(100_001, seed: 12))
        for file in [one, other] { try add(file, to: 0, devices) }
        try say([one.id, other.id].sorted(), expiry: devices.now + 36_000_000, 0, devices, group)
        try say([one.id], 0, devices, group)
        let session = try devices.connect(1, 0)
        try devices.settle()
        try devices.disconnect(session)
        #expect(isWhole(one, 1, devices) && isWhole(other, 1, devices))
        devices.now += 40_000_000
        for device in 0...1 {
            try devices.step(device, [.timePassed])
            let store = devices.devices[device].store
            #expect(isWhole(one, device, devices), "device \(device)")
            #expect(store.file(other.id) == nil && store.chunk(1, of: other.id) == nil, "device \(device)")
            #expect(try want(other.id, device, devices) == .unknownFile(other.id))
        }
        // Not even who still has it brings it back, nor gets it.
        try add(other, to: 0, devices)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(devices.devices[1].store.file(other.id) == nil)
    }

    /// Whoever knows a file's name in another group is told nothing of it.
    @Test func aFileIsGivenToWhoIsInAGroupThatItWasSaidIn() throws {
        let devices = try Devices(3, seed: 10)
        let group = try devices.makeGroup()
        try devices.step(0, [.createGroup(1, name: "secret")])
        let made = devices.devices[0].effects.compactMap { if case .created(_, let group) = $0 { group } else { nil } }
        let secret = try #require(made.last)
        let file = try makeFile(large, seed: 13)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, secret)
        // The second device says that it refers to it, too, to a third one only.
        try say([file.id], 1, devices, group)
        #expect(try want(file.id, 1, devices) == nil)
        var given = 0
        devices.intercept = { [self] wire in
            given += chunks(wire).count
            return wire.bytes
        }
        try devices.connect(1, 0)
        // What it says in the group both have makes it theirs as well: it is dropped on its way.
        let intercept = devices.intercept
        devices.intercept = { wire in
            guard wire.from == 1, var payload = try? Payload(decoding: wire.bytes[...]) else { return intercept(wire) }
            for index in payload.groups.indices { payload.groups[index].events = nil }
            return payload.encoded
        }
        try devices.settle(wakes: 1)
        #expect(given == 0)
        #expect(devices.devices[1].store.file(file.id)?.held.isEmpty == true)
    }

    @Test func thereIsNoMoreThanTheQuota() throws {
        let devices = try Devices(2, seed: 11)
        let group = try devices.makeGroup()
        let files = try (0..<3).map { try makeFile(100_000 + $0, seed: 20 + UInt64($0)) }
        for file in files { try add(file, to: 0, devices) }
        try devices.step(1, [.setFileLimits(74, FileLimits(quota: 200_001, automatic: 100_001))])
        for file in files { try say([file.id], 0, devices, group) }
        try devices.connect(1, 0)
        try devices.settle()
        #expect(isWhole(files[0], 1, devices) && isWhole(files[1], 1, devices))
        #expect(devices.devices[1].store.file(files[2].id) == nil)
        #expect(try want(files[2].id, 1, devices) == .fileQuota(quota: 200_001))
        try devices.step(1, [.dropFile(75, files[0].id)])
        #expect(devices.devices[1].store.chunk(0, of: files[0].id) == nil)
        #expect(try want(files[2].id, 1, devices) == .fileQuota(quota: 200_001))
        try devices.step(1, [.setFileLimits(74, FileLimits(quota: 200_003, automatic: 0))])
        #expect(try want(files[2].id, 1, devices) == nil)
        try devices.settle()
        #expect(isWhole(files[2], 1, devices))
        // Dropped, and fetched again over the same link.
        try devices.step(1, [.dropFile(75, files[1].id)])
        #expect(try want(files[1].id, 1, devices) == nil)
        try devices.settle()
        #expect(isWhole(files[1], 1, devices))
    }

    @Test func anEventRefersToSixteenFilesAndNoMore() throws {
        let devices = try Devices(2, seed: 12)
        let group = try devices.makeGroup()
        let ids = try (0..<17).map { try #require(FileID(size: $0, root: SwiftCryptography().sha256([UInt8($0)]))) }
        #expect(try say(Array(ids.prefix(16)), 0, devices, group) != nil)
        #expect(devices.delivered(0, in: group).last?.header.files == ids.prefix(16).sorted())
        #expect(try say(ids, 0, devices, group) == nil || devices.delivered(0, in: group).count == 1)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(devices.delivered(1, in: group).last?.header.files == ids.prefix(16).sorted())
    }
}
