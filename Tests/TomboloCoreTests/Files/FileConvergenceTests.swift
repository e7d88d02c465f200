import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

/// Engines under all faults: links that break, chunks that change in transit or rot on disk, restarts, and files that
/// are dropped, wanted or redacted. In the end every device that wants a file has it, if any device has it.
@Suite("Files under all faults") struct FileConvergenceTests {
    private static let seeds = Tier.count(60, long: 600, variable: "TOMBOLO_SEEDS")

    private struct World {
        let cluster: Cluster
        var generator: SeededGenerator
        var links: [Set<Int>: SessionID] = [:]
        var files: [MadeFile] = []
        var events: [FileID: [(event: EventReference, author: Int)]] = [:]

        init(seed: Int) throws {
            generator = SeededGenerator(seed: UInt64(seed))
            cluster = try Cluster(4, seed: UInt64(seed) &* 7_919, role: .admin)
            for device in cluster.all {
                let automatic = UInt64.random(in: 0..<2, using: &generator) * 300_000
                try device.step(.setFileLimits(1, FileLimits(automatic: automatic)))
            }
        }

        mutating func connect(_ one: Int, _ other: Int) throws {
            guard one != other, links[[one, other]] == nil else { return }
            links[[one, other]] = try cluster.connect(one, other)
        }

        mutating func disconnect(_ pair: Set<Int>) throws {
            guard let session = links.removeValue(forKey: pair) else { return }
            try cluster.disconnect(session)
        }

        mutating func restart(_ device: Int, seed: UInt64) throws {
            for pair in links.keys.sorted(by: { $0.sorted().lexicographicallyPrecedes($1.sorted()) })
            where pair.contains(device) { try disconnect(pair) }
            try cluster[device].restart(seed: seed)
        }

        /// Sends an event that refers to a file which the device holds or knows of.
        mutating func say(_ file: MadeFile, _ device: Int) throws {
            try cluster[device].send(files: [file.id])
            guard let event = cluster[device].delivered.last, event.header.files == [file.id] else { return }
            events[file.id, default: []].append((event.reference, device))
        }

        mutating func happen(_ step: Int) throws {
            let device = cluster[Int.random(in: 0..<4, using: &generator)]
            let file = files.randomElement(using: &generator)
            switch Int.random(in: 0..<16, using: &generator) {
            case 0..<4: try connect(device.index, Int.random(in: 0..<4, using: &generator))
            case 4:
                let pairs = links.keys.sorted { $0.sorted().lexicographicallyPrecedes($1.sorted()) }
                if let pair = pairs.randomElement(using: &generator) { try disconnect(pair) }
            case 5, 6:
                let size = Int.random(in: 0..<700_000, using: &generator)
                let made = try MadeFile(bytes: size, seed: generator.next())
                try device.add(made)
                files.append(made)
                try say(made, device.index)
            case 7: if let file { try say(file, device.index) }
            case 8..<11:
                if let file { try device.step(.wantFile(4, file.id, from: generator.next() % 700_000)) }
            case 11: if let file { try device.step(.dropFile(5, file.id)) }
            case 12:
                guard let file, let said = events[file.id]?.randomElement(using: &generator) else { break }
                try device.redact(said.event)
            case 13:
                // A bit of a stored chunk flips without notice.
                guard let file, let held = device.store.file(file.id)?.held, !held.isEmpty,
                    let position = held.ranges.flatMap(\.self).randomElement(using: &generator),
                    var chunk = device.store.chunk(position, of: file.id)
                else { break }
                chunk[chunk.count / 2] ^= 1
                device.store.setChunk(chunk[...], at: position, of: file.id)
            case 14: try restart(device.index, seed: generator.next())
            default: break
            }
            try cluster.carry(most: Int.random(in: 0..<40, using: &generator))
            cluster.advance(by: UInt64.random(in: 0..<400, using: &generator))
        }

        /// Lets all devices meet several times. Damage on disk is found when a chunk is checked.
        mutating func settle() throws {
            cluster.stopIntercepting()
            for _ in 0..<3 {
                for pair in links.keys.sorted(by: { $0.sorted().lexicographicallyPrecedes($1.sorted()) }) {
                    try disconnect(pair)
                }
                for one in 0..<4 { for other in 0..<one { try connect(one, other) } }
                try cluster.settle(wakes: 20)
                for device in cluster.all {
                    for file in files {
                        for position in file.chunks.keys.sorted() {
                            try device.step(.checkChunk(7, file.id, position))
                        }
                    }
                }
                try cluster.settle(wakes: 20)
            }
        }
    }

    @Test func whoeverWantsAFileHasItInTheEnd() throws {
        var (whole, gone, fetched) = (0, 0, 0)
        for seed in 0..<Self.seeds {
            var world = try World(seed: seed)
            let noise = Bool.random(using: &world.generator)
            var noisy = SeededGenerator(seed: UInt64(seed) + 500)
            world.cluster.intercept { wire in
                // The chunk is changed in transit, which none of our transports lets pass.
                guard noise, noisy.next() % 12 == 0, case .chunk? = wire.fileMessages.first else {
                    return wire.bytes
                }
                var bytes = wire.bytes
                bytes[bytes.count - 5] ^= 8
                return bytes
            }
            for step in 0..<60 { try world.happen(step) }
            try world.settle()
            let stores = world.cluster.all.map(\.store)
            for file in world.files {
                let isSaid = stores[0].isReferred(to: file.id)
                let all = stores.reduce(RangeSet<Int>()) { $0.union($1.file(file.id)?.held ?? RangeSet()) }
                for (device, store) in stores.enumerated() {
                    let place: Comment = "seed \(seed), device \(device), file \(file.id)"
                    guard isSaid else {
                        let left = store.file(file.id)
                        // A record without a wish may remain if the file was added again and no event refers to it.
                        #expect(left == nil || left?.want == FileRecord.Want.none, place)
                        gone += 1
                        continue
                    }
                    guard let record = store.file(file.id) else { continue }
                    for position in record.held.ranges.joined() {
                        #expect(store.chunk(position, of: file.id) == file.chunks[position], place)
                    }
                    if record.want != .none, all.contains(0) {
                        // The device has every part that any device has.
                        #expect(record.held == all, place)
                        fetched += 1
                    } else if record.isComplete {
                        whole += 1
                    }
                }
            }
            let open = Set(world.links.values)
            for device in world.cluster.all {
                #expect(device.busySessions.isDisjoint(with: open), "seed \(seed), \(device) still waits")
                #expect(device.errors.isEmpty, "seed \(seed), \(device)")
            }
        }
        #expect(whole > 2 * Self.seeds && gone > 0, "\(whole) whole, \(gone) gone, \(fetched) in part")
    }
}
