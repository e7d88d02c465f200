import Testing
import TomboloCore
import TomboloCrypto

/// Files between engines, with stores in memory and links that carry payloads at once.
@Suite("Files between devices") struct FileTransferTests: FileScenario {
    @Test func whatIsSmallComesByItselfAndWhatIsLargeWhenItIsAskedFor() throws {
        let devices = try Devices(3, seed: 1)
        let group = try devices.makeGroup()
        let files = try [(0, 1), (200_000, 2), (large, 3)].map { try MadeFile(bytes: $0, seed: $1) }
        for file in files { try add(file, to: 0, devices) }
        try say(files.map(\.id).sorted(), 0, devices, group)
        let session = try devices.connect(1, 0)
        try devices.settle()
        #expect(isWhole(files[0], 1, devices) && isWhole(files[1], 1, devices))
        #expect(devices.devices[1].store.file(files[2].id) == nil)
        #expect(try want(files[2].id, 1, devices) == nil)
        try devices.settle()
        #expect(isWhole(files[2], 1, devices))
        #expect(devices.devices[1].store.wantedFiles(.asked, after: nil, limit: 9).isEmpty)
        try devices.disconnect(session)
        // The file goes from a device that has fetched it to one that has not met its sender.
        try devices.connect(2, 1)
        try devices.settle()
        #expect(try want(files[2].id, 2, devices) == nil)
        try devices.settle()
        #expect(isWhole(files[2], 2, devices))
    }

    @Test func severalGiveDifferentPartsAndNoneIsSentTwice() throws {
        let (devices, _, file) = try makeDevices(4, seed: 2, bytes: large, fetchedBy: [1, 2])
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

    /// Two devices with different halves give them to each other.
    @Test func whoFetchesGivesAsWell() throws {
        let (devices, _, file) = try makeDevices(3, seed: 3, bytes: large)
        let shape = FileShape(size: file.id.size)
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
        let (devices, _, file) = try makeDevices(3, seed: 4, bytes: large, fetchedBy: [1])
        // One bit of a leaf and one of the root have rotted on the first device's disk.
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
        // The device that was told checks its chunks and fetches the lost ones again.
        try devices.connect(0, 1)
        try devices.settle()
        try devices.step(0, [.checkChunk(73, file.id, 17)])
        try devices.settle()
        #expect(isWhole(file, 0, devices))
    }

    /// False chunks are refused whatever else the peer does, and others provide the true ones.
    @Test func whoLiesIsNotBelieved() throws {
        let (devices, _, file) = try makeDevices(3, seed: 5, bytes: large, fetchedBy: [1])
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
        let (devices, _, file) = try makeDevices(3, seed: 6, bytes: large, fetchedBy: [1])
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

    @Test func itGoesOnAfterARestart() throws {
        let (devices, _, file) = try makeDevices(2, seed: 8, bytes: large)
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
        let (one, other) = (try MadeFile(bytes: 100_000, seed: 11), try MadeFile(bytes: 100_001, seed: 12))
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
        // A device that still has the file neither brings it back nor receives it.
        try add(other, to: 0, devices)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(devices.devices[1].store.file(other.id) == nil)
    }

    @Test func thereIsNoMoreThanTheQuota() throws {
        let devices = try Devices(2, seed: 11)
        let group = try devices.makeGroup()
        // Each file counts as 25 blocks of 4,096 bytes and one more.
        let files = try (0..<3).map { try MadeFile(bytes: 100_000 + $0, seed: 20 + UInt64($0)) }
        let charge: UInt64 = 26 * 4_096
        for file in files { try add(file, to: 0, devices) }
        try devices.step(1, [.setFileLimits(74, FileLimits(quota: 2 * charge, automatic: 100_002))])
        for file in files { try say([file.id], 0, devices, group) }
        try devices.connect(1, 0)
        try devices.settle()
        let here = files.filter { isWhole($0, 1, devices) }
        let missing = try #require(files.first { !isWhole($0, 1, devices) })
        #expect(here.count == 2)
        #expect(devices.devices[1].store.file(missing.id)?.held.isEmpty == true)
        #expect(try want(missing.id, 1, devices) == .fileQuota(quota: 2 * charge))
        try devices.step(1, [.setFileLimits(74, FileLimits(quota: 3 * charge - 1, automatic: 0))])
        #expect(try want(missing.id, 1, devices) == .fileQuota(quota: 3 * charge - 1))
        try devices.step(1, [.dropFile(75, here[0].id)])
        #expect(devices.devices[1].store.chunk(0, of: here[0].id) == nil)
        #expect(try want(missing.id, 1, devices) == nil)
        try devices.settle()
        #expect(isWhole(missing, 1, devices))
        #expect(try want(here[0].id, 1, devices) == .fileQuota(quota: 3 * charge - 1))
        // The file is dropped, and fetched again over the same link.
        try devices.step(1, [.dropFile(75, here[1].id)])
        #expect(try want(here[1].id, 1, devices) == nil)
        try devices.settle()
        #expect(isWhole(here[1], 1, devices))
    }

    @Test func anEventRefersToSixteenFilesAndNoMore() throws {
        let devices = try Devices(2, seed: 12)
        let group = try devices.makeGroup()
        let ids = try (0..<17).map { try #require(FileID(size: $0, root: SwiftCryptography().sha256([UInt8($0)]))) }
        #expect(try say([ids[0]], 0, devices, group) == nil)
        for id in ids { try devices.step(0, [.addFile(76, id, held: RangeSet())]) }
        #expect(try say(Array(ids.prefix(16)), 0, devices, group) != nil)
        #expect(devices.delivered(0, in: group).last?.header.files == ids.prefix(16).sorted())
        #expect(try say(ids, 0, devices, group) == nil || devices.delivered(0, in: group).count == 1)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(devices.delivered(1, in: group).last?.header.files == ids.prefix(16).sorted())
    }
}
