import Testing
import TomboloCore
import TomboloCrypto

/// Faults between two devices, and deliberate attacks.
@Suite("Files under faults and attacks") struct FileFaultTests: FileScenario {
    /// Expects that no chunk below the node is fetched again.
    @Test func aNodeThatIsLostAloneIsFetchedAlone() throws {
        let (devices, _, file) = try makeDevices(2, seed: 13, bytes: 900_000)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(isWhole(file, 1, devices))
        var sent: [Int] = []
        devices.intercept = { [self] wire in
            sent += chunks(wire).map(\.position)
            return wire.bytes
        }
        try spoil(0, of: file, on: 1, devices)
        try devices.step(1, [.checkChunk(80, file.id, 3)])
        try devices.settle()
        #expect(isWhole(file, 1, devices))
        #expect(sent == [0])
        // The same holds for a leaf from a peer that had given everything.
        try spoil(5, of: file, on: 1, devices)
        try devices.step(1, [.checkChunk(80, file.id, 5)])
        try devices.settle()
        #expect(isWhole(file, 1, devices))
        #expect(sent == [0, 5])
    }

    /// A peer that has all chunks but the root node is of no use, and nobody waits for it.
    @Test func whoHasLostTheRootIsNotWaitedFor() throws {
        for isRotten in [true, false] {
            let devices = try Devices(2, seed: 14)
            let group = try devices.makeGroup()
            let file = try MadeFile(bytes: 900_000, seed: 31)
            try add(file, to: 0, only: isRotten ? file.all : RangeSet([1..<15]), devices)
            try say([file.id], 0, devices, group)
            if isRotten { try spoil(0, of: file, on: 0, devices) }
            try devices.connect(1, 0)
            try devices.settle()
            #expect(devices.devices[1].store.file(file.id)?.held.isEmpty == true)
            #expect(!isBusy(0, devices) && !isBusy(1, devices))
        }
    }

    /// Files that nobody has do not keep others from coming.
    @Test func manyFilesThatNobodyHasAreNoObstacle() throws {
        let devices = try Devices(3, seed: 15)
        let group = try devices.makeGroup()
        for number in 0..<40 {
            let ids = try (0..<16).map { index in
                try #require(FileID(size: 1_000, root: SwiftCryptography().sha256([UInt8(number), UInt8(index)])))
            }
            for id in ids { try devices.step(2, [.addFile(82, id, held: RangeSet())]) }
            try say(ids, 2, devices, group)
        }
        let (small, large) = (try MadeFile(bytes: 70_000, seed: 32), try MadeFile(bytes: large, seed: 33))
        for file in [small, large] { try add(file, to: 0, devices) }
        try say([small.id], 0, devices, group)
        try say([large.id], 0, devices, group)
        for _ in 0..<3 {
            for other in [2, 0] {
                let session = try devices.connect(1, other)
                try devices.settle()
                #expect(!isBusy(1, devices))
                try devices.disconnect(session)
            }
        }
        #expect(isWhole(small, 1, devices))
        #expect(try want(large.id, 1, devices) == nil)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(isWhole(large, 1, devices))
    }

    @Test func ofManySmallFilesAllCome() throws {
        let devices = try Devices(2, seed: 16)
        let group = try devices.makeGroup()
        let files = try (0..<600).map { try MadeFile(bytes: $0, seed: UInt64(1_000 + $0)) }
        for file in files { try add(file, to: 0, devices) }
        for start in stride(from: 0, to: 600, by: 15) {
            try say(files[start..<start + 15].map(\.id), 0, devices, group)
        }
        try devices.connect(1, 0)
        try devices.settle()
        #expect(files.allSatisfy { isWhole($0, 1, devices) })
        #expect(!isBusy(0, devices) && !isBusy(1, devices))
    }

    /// The peer that is asked instead may have been met earlier.
    @Test func whoStallsIsReplacedWhoeverWasMetFirst() throws {
        for order in [[0, 1], [1, 0]] {
            let (devices, _, file) = try makeDevices(3, seed: 17, bytes: large, fetchedBy: [1])
            devices.intercept = { [self] wire in wire.from == 0 && !chunks(wire).isEmpty ? nil : wire.bytes }
            for other in order { try devices.connect(2, other) }
            try devices.settle()
            #expect(try want(file.id, 2, devices) == nil)
            try devices.settle()
            #expect(isWhole(file, 2, devices))
            // Nobody waits for the stalled peer forever.
            #expect(!isBusy(2, devices))
        }
    }

    /// A peer that refuses chunks which it was not asked for does not affect requests to others.
    @Test func aRefusalThatNobodyAskedForIsPassedOver() throws {
        let (devices, _, file) = try makeDevices(3, seed: 18, bytes: large)
        for other in [1, 2] {
            let session = try devices.connect(other, 0)
            try devices.settle()
            try devices.disconnect(session)
        }
        var sent: [Int] = []
        var sessionOfLiar: SessionID?
        devices.intercept = { [self] wire in
            if wire.from == 0 { sent += chunks(wire).map(\.position) }
            return wire.bytes
        }
        sessionOfLiar = try devices.connect(1, 2)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        for _ in 0..<400 where !devices.queue.isEmpty {
            let wire = devices.queue.removeFirst()
            guard let bytes = devices.intercept(wire) else { continue }
            try devices.step(wire.to, [.payloadReceived(wire.session, bytes[...])])
            var sync = GroupSync(number: 0)
            sync.files = (0..<16).map { FileMessage.decline(file.id, ($0 * 13 + sent.count) % 150).encoded[...] }
            var payload = Payload()
            payload.groups = [sync]
            try devices.step(1, [.payloadReceived(try #require(sessionOfLiar), payload.encoded[...])])
        }
        try devices.settle()
        #expect(isWhole(file, 1, devices))
        #expect(Set(sent).count == sent.count)
    }

    /// A reference by a member without the right to write gives it no file of the group.
    @Test func whatWasNotDeliveredUnlocksNothing() throws {
        let devices = try Devices(3, seed: 19)
        let group = try devices.makeGroup()
        try devices.step(0, [.createGroup(1, name: "secret")])
        let made = devices.devices[0].effects.compactMap { if case .created(_, let group) = $0 { group } else { nil } }
        let secret = try #require(made.last)
        let file = try MadeFile(bytes: large, seed: 36)
        try add(file, to: 0, devices)
        try say([file.id], 0, devices, secret)
        let member = devices.devices[1].engine.member
        try devices.step(0, [.setRole(83, group: group, of: member, to: .none)])
        // The removed member does not know of its removal, and knows the file's id.
        try devices.step(1, [.addFile(84, file.id, held: RangeSet())])
        try say([file.id], 1, devices, group)
        #expect(try want(file.id, 1, devices) == nil)
        var told = false
        devices.intercept = { wire in
            for case .have(_, let held) in Devices.fileMessages(in: wire) where wire.from == 0 {
                told = told || !held.isEmpty
            }
            return wire.bytes
        }
        try devices.connect(1, 0)
        try devices.settle()
        #expect(!told)
        #expect(devices.devices[0].store.isReferred(to: file.id))
    }

    @Test func whatWasTakenBackInOneGroupIsFetchedOverAnother() throws {
        let devices = try Devices(2, seed: 20)
        let group = try devices.makeGroup()
        let other = try devices.makeGroup()
        let file = try MadeFile(bytes: large, seed: 37)
        try add(file, to: 0, devices)
        try say([file.id], expiry: devices.now + 36_000_000, 0, devices, group)
        try say([file.id], 0, devices, other)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        for _ in 0..<30 where !devices.queue.isEmpty {
            let wire = devices.queue.removeFirst()
            try devices.step(wire.to, [.payloadReceived(wire.session, wire.bytes[...])])
        }
        #expect(!isWhole(file, 1, devices))
        devices.now += 40_000_000
        for device in 0..<2 { try devices.step(device, [.timePassed]) }
        try devices.settle()
        #expect(isWhole(file, 1, devices))
    }

    /// The file has more parts than one message can name.
    @Test func whoHasVeryManyPartsGivesAllOfThem() throws {
        let devices = try Devices(2, seed: 21)
        let group = try devices.makeGroup()
        let file = try MadeFile(bytes: 65_520 * 2_500, seed: 38, isUniform: true)
        let shape = FileShape(size: file.id.size)
        var held = RangeSet([0..<shape.firstLeaf])
        for leaf in shape.leaves where leaf.isMultiple(of: 2) { held.insert(contentsOf: leaf..<leaf + 1) }
        try add(file, to: 0, only: held, devices)
        try say([file.id], 0, devices, group)
        try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        try devices.settle()
        #expect(devices.devices[1].store.file(file.id)?.held == held)
        #expect(!isBusy(0, devices) && !isBusy(1, devices))
    }
}
