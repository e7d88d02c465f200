import Testing
import TomboloCore
import TomboloCrypto

/// Faults between two devices, and deliberate attacks.
@Suite("Files under faults and attacks") struct FileFaultTests: FileScenario {
    /// Expects that no chunk below the node is fetched again.
    @Test func aNodeThatIsLostAloneIsFetchedAlone() throws {
        let (cluster, file) = try Cluster.sharing(bytes: 900_000, among: "ann", "bob", seed: 13)
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(cluster["bob"].has(file))
        var sent: [Int] = []
        cluster.watch { wire in sent += wire.chunks.map(\.position) }
        cluster["bob"].spoil(0, of: file)
        try cluster["bob"].step(.checkChunk(80, file.id, 3))
        try cluster.settle()
        #expect(cluster["bob"].has(file))
        #expect(sent == [0])
        // The same holds for a leaf from a peer that had given everything.
        cluster["bob"].spoil(5, of: file)
        try cluster["bob"].step(.checkChunk(80, file.id, 5))
        try cluster.settle()
        #expect(cluster["bob"].has(file))
        #expect(sent == [0, 5])
    }

    /// A peer that has all chunks but the root node is of no use, and nobody waits for it.
    @Test func whoHasLostTheRootIsNotWaitedFor() throws {
        for isRotten in [true, false] {
            let cluster = try Cluster("ann", "bob", seed: 14)
            let file = try MadeFile(bytes: 900_000, seed: 31)
            try cluster["ann"].add(file, only: isRotten ? file.all : RangeSet([1..<15]))
            try cluster["ann"].send(files: [file.id])
            if isRotten { cluster["ann"].spoil(0, of: file) }
            try cluster.connect("bob", "ann")
            try cluster.settle()
            #expect(cluster["bob"].store.file(file.id)?.held.isEmpty == true)
            #expect(!cluster["ann"].isBusy && !cluster["bob"].isBusy)
        }
    }

    /// Files that nobody has do not keep others from coming.
    @Test func manyFilesThatNobodyHasAreNoObstacle() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 15)
        for number in 0..<40 {
            let ids = try (0..<16).map { index in
                try #require(FileID(size: 1_000, root: SwiftCryptography().sha256([UInt8(number), UInt8(index)])))
            }
            for id in ids { try cluster["cat"].step(.addFile(82, id, held: RangeSet())) }
            try cluster["cat"].send(files: ids)
        }
        let (small, large) = (try MadeFile(bytes: 70_000, seed: 32), try MadeFile(bytes: large, seed: 33))
        for file in [small, large] { try cluster["ann"].add(file) }
        try cluster["ann"].send(files: [small.id])
        try cluster["ann"].send(files: [large.id])
        for _ in 0..<3 {
            for other in ["cat", "ann"] {
                let session = try cluster.connect("bob", other)
                try cluster.settle()
                #expect(!cluster["bob"].isBusy)
                try cluster.disconnect(session)
            }
        }
        #expect(cluster["bob"].has(small))
        #expect(try cluster["bob"].want(large.id) == nil)
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(cluster["bob"].has(large))
    }

    @Test func ofManySmallFilesAllCome() throws {
        let cluster = try Cluster("ann", "bob", seed: 16)
        let files = try (0..<600).map { try MadeFile(bytes: $0, seed: UInt64(1_000 + $0)) }
        for file in files { try cluster["ann"].add(file) }
        for start in stride(from: 0, to: 600, by: 15) {
            try cluster["ann"].send(files: files[start..<start + 15].map(\.id))
        }
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(files.allSatisfy { cluster["bob"].has($0) })
        #expect(!cluster["ann"].isBusy && !cluster["bob"].isBusy)
    }

    /// The peer that is asked instead may have been met earlier.
    @Test func whoStallsIsReplacedWhoeverWasMetFirst() throws {
        for order in [["ann", "bob"], ["bob", "ann"]] {
            let (cluster, file) = try Cluster.sharing(
                bytes: large, among: "ann", "bob", "cat", seed: 17, fetchedBy: ["bob"])
            cluster.intercept { wire in wire.from == "ann" && !wire.chunks.isEmpty ? nil : wire.bytes }
            for other in order { try cluster.connect("cat", other) }
            try cluster.settle()
            #expect(try cluster["cat"].want(file.id) == nil)
            try cluster.settle()
            #expect(cluster["cat"].has(file))
            // Nobody waits for the stalled peer forever.
            #expect(!cluster["cat"].isBusy)
        }
    }

    /// A peer that refuses chunks which it was not asked for does not affect requests to others.
    @Test func aRefusalThatNobodyAskedForIsPassedOver() throws {
        let (cluster, file) = try Cluster.sharing(bytes: large, among: "ann", "bob", "cat", seed: 18)
        for other in cluster["bob", "cat"] { try cluster.sync(other, "ann") }
        var sent: [Int] = []
        cluster.watch { wire in if wire.from == "ann" { sent += wire.chunks.map(\.position) } }
        let sessionOfLiar = try cluster.connect("bob", "cat")
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(try cluster["bob"].want(file.id) == nil)
        try cluster.carry(most: 400) {
            var sync = GroupSync(number: 0)
            sync.files = (0..<16).map { FileMessage.decline(file.id, ($0 * 13 + sent.count) % 150).encoded[...] }
            var payload = Payload()
            payload.groups = [sync]
            try cluster["bob"].step(.payloadReceived(sessionOfLiar, payload.encoded[...]))
        }
        try cluster.settle()
        #expect(cluster["bob"].has(file))
        #expect(Set(sent).count == sent.count)
    }

    /// A reference by a member without the right to write gives it no file of the group.
    @Test func whatWasNotDeliveredUnlocksNothing() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 19)
        let secret = try #require(try cluster["ann"].createGroup(name: "secret"))
        let file = try MadeFile(bytes: large, seed: 36)
        try cluster["ann"].add(file)
        try cluster["ann"].send(files: [file.id], in: secret)
        try cluster["ann"].setRole(of: "bob", to: .none)
        // Bob does not know of its removal, and knows the file's id.
        try cluster["bob"].step(.addFile(84, file.id, held: RangeSet()))
        try cluster["bob"].send(files: [file.id])
        #expect(try cluster["bob"].want(file.id) == nil)
        var told = false
        cluster.watch { wire in
            for case .have(_, let held) in wire.fileMessages where wire.from == "ann" {
                told = told || !held.isEmpty
            }
        }
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(!told)
        #expect(cluster["ann"].store.isReferred(to: file.id))
    }

    @Test func whatWasTakenBackInOneGroupIsFetchedOverAnother() throws {
        let cluster = try Cluster("ann", "bob", seed: 20)
        let other = try cluster.devices.makeGroup()
        let file = try MadeFile(bytes: large, seed: 37)
        try cluster["ann"].add(file)
        try cluster["ann"].send(files: [file.id], expiry: cluster.now + 36_000_000)
        try cluster["ann"].send(files: [file.id], in: other)
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(try cluster["bob"].want(file.id) == nil)
        try cluster.carry(most: 30)
        #expect(!cluster["bob"].has(file))
        try cluster.pass(40_000_000)
        try cluster.settle()
        #expect(cluster["bob"].has(file))
    }

    /// The file has more parts than one message can name.
    @Test func whoHasVeryManyPartsGivesAllOfThem() throws {
        let cluster = try Cluster("ann", "bob", seed: 21)
        let file = try MadeFile(bytes: 65_520 * 2_500, seed: 38, isUniform: true)
        let shape = FileShape(size: file.id.size)
        var held = RangeSet([0..<shape.firstLeaf])
        for leaf in shape.leaves where leaf.isMultiple(of: 2) { held.insert(contentsOf: leaf..<leaf + 1) }
        try cluster["ann"].add(file, only: held)
        try cluster["ann"].send(files: [file.id])
        try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(try cluster["bob"].want(file.id) == nil)
        try cluster.settle()
        #expect(cluster["bob"].store.file(file.id)?.held == held)
        #expect(!cluster["ann"].isBusy && !cluster["bob"].isBusy)
    }
}
