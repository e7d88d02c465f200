import Testing
import TomboloCore
import TomboloCrypto

/// Files between engines, with stores in memory and links that carry payloads at once.
@Suite("Files between devices") struct FileTransferTests: FileScenario {
    @Test func whatIsSmallComesByItselfAndWhatIsLargeWhenItIsAskedFor() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 1)
        let files = try [(0, 1), (200_000, 2), (large, 3)].map { try MadeFile(bytes: $0, seed: $1) }
        for file in files { try cluster["ann"].add(file) }
        try cluster["ann"].send(files: files.map(\.id).sorted())
        let session = try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(cluster["bob"].has(files[0]) && cluster["bob"].has(files[1]))
        #expect(cluster["bob"].store.file(files[2].id) == nil)
        #expect(try cluster["bob"].want(files[2].id) == nil)
        try cluster.settle()
        #expect(cluster["bob"].has(files[2]))
        #expect(cluster["bob"].store.wantedFiles(.asked, after: nil, limit: 9).isEmpty)
        try cluster.disconnect(session)
        // The file goes from a device that has fetched it to one that has not met its sender.
        try cluster.connect("cat", "bob")
        try cluster.settle()
        #expect(try cluster["cat"].want(files[2].id) == nil)
        try cluster.settle()
        #expect(cluster["cat"].has(files[2]))
    }

    @Test func severalGiveDifferentPartsAndNoneIsSentTwice() throws {
        let (cluster, file) = try Cluster.sharing(
            bytes: large, among: "ann", "bob", "cat", "dan", seed: 2, fetchedBy: ["bob", "cat"])
        var sent: [String: [Int]] = [:]
        cluster.watch { wire in
            for chunk in wire.chunks { sent[wire.from, default: []].append(chunk.position) }
        }
        for device in cluster["ann", "bob", "cat"] { try cluster.connect("dan", device) }
        try cluster.settle()
        #expect(try cluster["dan"].want(file.id) == nil)
        try cluster.settle()
        #expect(cluster["dan"].has(file))
        #expect(sent.values.flatMap(\.self).sorted() == Array(0..<FileShape(size: file.id.size).count))
        for device in ["ann", "bob", "cat"] { #expect((sent[device]?.count ?? 0) > 40, "\(device)") }
    }

    /// Two devices with different halves give them to each other.
    @Test func whoFetchesGivesAsWell() throws {
        let (cluster, file) = try Cluster.sharing(bytes: large, among: "ann", "bob", "cat", seed: 3)
        let shape = FileShape(size: file.id.size)
        let halves = [0..<shape.count / 2, shape.count / 2..<shape.count]
        for (device, half) in zip(cluster["bob", "cat"], halves) {
            try cluster.sync(device, "ann")
            try device.add(file, only: RangeSet([0..<1, half]))
            #expect(try device.want(file.id) == nil)
        }
        try cluster.connect("bob", "cat")
        try cluster.settle()
        #expect(cluster["bob"].has(file) && cluster["cat"].has(file))
    }

    @Test func whatComesWrongIsRefusedAndFetchedFromAnother() throws {
        let (cluster, file) = try Cluster.sharing(bytes: large, among: "ann", "bob", "cat", seed: 4, fetchedBy: ["bob"])
        // One bit of a leaf and one of the root have rotted on Ann's disk.
        for position in [0, 17] {
            var chunk = try #require(file.chunks[position])
            chunk[1_000] ^= 4
            cluster["ann"].store.setChunk(chunk[...], at: position, of: file.id)
        }
        var doubted: Set<Int> = []
        cluster.watch { wire in
            for case .doubt(_, let position) in wire.fileMessages { doubted.insert(position) }
        }
        try cluster.connect("cat", "ann")
        try cluster.settle()
        #expect(try cluster["cat"].want(file.id) == nil)
        try cluster.settle()
        #expect(!cluster["cat"].has(file))
        try cluster.connect("cat", "bob")
        try cluster.settle()
        #expect(cluster["cat"].has(file))
        #expect(doubted.contains(0))
        #expect(cluster["cat"].errors.isEmpty && cluster["ann"].errors.isEmpty)
        // Ann, which was told, checks its chunks and fetches the lost ones again.
        try cluster.connect("ann", "bob")
        try cluster.settle()
        try cluster["ann"].step(.checkChunk(73, file.id, 17))
        try cluster.settle()
        #expect(cluster["ann"].has(file))
    }

    /// False chunks are refused whatever else the peer does, and others provide the true ones.
    @Test func whoLiesIsNotBelieved() throws {
        let (cluster, file) = try Cluster.sharing(bytes: large, among: "ann", "bob", "cat", seed: 5, fetchedBy: ["bob"])
        cluster.intercept { wire in
            guard wire.from == "ann", wire.to == "cat", !wire.chunks.isEmpty else { return wire.bytes }
            var bytes = wire.bytes
            bytes[bytes.count - 3] ^= 1
            return bytes
        }
        try cluster.connect("cat", "ann")
        try cluster.connect("cat", "bob")
        try cluster.settle()
        #expect(try cluster["cat"].want(file.id) == nil)
        try cluster.settle()
        #expect(cluster["cat"].has(file))
    }

    @Test func whatALinkTookAlongOthersAreAskedFor() throws {
        let (cluster, file) = try Cluster.sharing(bytes: large, among: "ann", "bob", "cat", seed: 6, fetchedBy: ["bob"])
        let dying = try cluster.connect("cat", "ann")
        try cluster.connect("cat", "bob")
        try cluster.settle()
        var carried = 0
        cluster.intercept { wire in
            guard wire.session == dying, !wire.chunks.isEmpty else { return wire.bytes }
            carried += 1
            return carried > 30 ? nil : wire.bytes
        }
        #expect(try cluster["cat"].want(file.id) == nil)
        while carried <= 30, !cluster.isIdle { try cluster.carry(most: 1) }
        #expect(!cluster["cat"].has(file))
        try cluster.disconnect(dying)
        try cluster.settle()
        #expect(cluster["cat"].has(file))
    }

    @Test func itGoesOnAfterARestart() throws {
        let (cluster, file) = try Cluster.sharing(bytes: large, among: "ann", "bob", seed: 8)
        let session = try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(try cluster["bob"].want(file.id) == nil)
        try cluster.carry(most: 60)
        try cluster.disconnect(session)
        let before = try #require(cluster["bob"].store.file(file.id)).held.positions
        #expect(before > 10 && before < file.chunks.count)
        try cluster["bob"].restart(seed: 99)
        var again = 0
        cluster.watch { wire in again += wire.chunks.count }
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(cluster["bob"].has(file))
        #expect(again == file.chunks.count - before)
    }

    @Test func withTheLastThatRefersToItAFileGoes() throws {
        let cluster = try Cluster("ann", "bob", seed: 9)
        let (one, other) = (try MadeFile(bytes: 100_000, seed: 11), try MadeFile(bytes: 100_001, seed: 12))
        for file in [one, other] { try cluster["ann"].add(file) }
        try cluster["ann"].send(files: [one.id, other.id].sorted(), expiry: cluster.now + 36_000_000)
        try cluster["ann"].send(files: [one.id])
        try cluster.sync("bob", "ann")
        #expect(cluster["bob"].has(one) && cluster["bob"].has(other))
        cluster.advance(by: 40_000_000)
        for device in cluster.all {
            try device.wake()
            #expect(device.has(one), "\(device)")
            #expect(device.store.file(other.id) == nil && device.store.chunk(1, of: other.id) == nil, "\(device)")
            #expect(try device.want(other.id) == .unknownFile(other.id))
        }
        // A device that still has the file neither brings it back nor receives it.
        try cluster["ann"].add(other)
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(cluster["bob"].store.file(other.id) == nil)
    }

    @Test func thereIsNoMoreThanTheQuota() throws {
        let cluster = try Cluster("ann", "bob", seed: 11)
        // Each file counts as 25 blocks of 4,096 bytes and one more.
        let files = try (0..<3).map { try MadeFile(bytes: 100_000 + $0, seed: 20 + UInt64($0)) }
        let charge: UInt64 = 26 * 4_096
        for file in files { try cluster["ann"].add(file) }
        try cluster["bob"].step(.setFileLimits(74, FileLimits(quota: 2 * charge, automatic: 100_002)))
        for file in files { try cluster["ann"].send(files: [file.id]) }
        try cluster.connect("bob", "ann")
        try cluster.settle()
        let here = files.filter { cluster["bob"].has($0) }
        let missing = try #require(files.first { !cluster["bob"].has($0) })
        #expect(here.count == 2)
        #expect(cluster["bob"].store.file(missing.id)?.held.isEmpty == true)
        #expect(try cluster["bob"].want(missing.id) == .fileQuota(quota: 2 * charge))
        try cluster["bob"].step(.setFileLimits(74, FileLimits(quota: 3 * charge - 1, automatic: 0)))
        #expect(try cluster["bob"].want(missing.id) == .fileQuota(quota: 3 * charge - 1))
        try cluster["bob"].step(.dropFile(75, here[0].id))
        #expect(cluster["bob"].store.chunk(0, of: here[0].id) == nil)
        #expect(try cluster["bob"].want(missing.id) == nil)
        try cluster.settle()
        #expect(cluster["bob"].has(missing))
        #expect(try cluster["bob"].want(here[0].id) == .fileQuota(quota: 3 * charge - 1))
        // The file is dropped, and fetched again over the same link.
        try cluster["bob"].step(.dropFile(75, here[1].id))
        #expect(try cluster["bob"].want(here[1].id) == nil)
        try cluster.settle()
        #expect(cluster["bob"].has(here[1]))
    }

    @Test func anEventRefersToSixteenFilesAndNoMore() throws {
        let cluster = try Cluster("ann", "bob", seed: 12)
        let ids = try (0..<17).map { try #require(FileID(size: $0, root: SwiftCryptography().sha256([UInt8($0)]))) }
        #expect(try cluster["ann"].send(files: [ids[0]]) == nil)
        for id in ids { try cluster["ann"].step(.addFile(76, id, held: RangeSet())) }
        #expect(try cluster["ann"].send(files: Array(ids.prefix(16))) != nil)
        #expect(cluster["ann"].delivered.last?.header.files == ids.prefix(16).sorted())
        #expect(try cluster["ann"].send(files: ids) == nil || cluster["ann"].delivered.count == 1)
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(cluster["bob"].delivered.last?.header.files == ids.prefix(16).sorted())
    }
}
