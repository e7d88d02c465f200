import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("Files by themselves")
struct FileSyncTests {
    /// A machine that fetches a file of a root and four leaves, and serves it, over sessions 1 and 2.
    private func makeFetching(seed: UInt64 = 1) throws -> (FileBench, MadeFile) {
        var bench = try FileBench(seed: seed)
        let file = try MadeFile(bytes: 250_000, seed: seed)
        try bench.refer(to: [file.id])
        bench.open(1, 2)
        let (sent, effects) = try bench.run { files, batch in
            try files.want(RequestID(1), file.id, from: 0, in: &batch)
        }
        #expect(effects.contains { if case .done = $0 { true } else { false } })
        for session in [1, 2] as [UInt64] { #expect(sent[SessionID(rawValue: session)] == [.want(file.id)]) }
        return (bench, file)
    }

    private func chunk(_ file: MadeFile, _ position: Int) throws -> FileMessage {
        .chunk(file.id, position, try #require(file.chunks[position])[...])
    }

    @Test("want, have, request, chunk, enough: a file is fetched and reported complete")
    func fetch() throws {
        var (bench, file) = try makeFetching()
        var sent = try bench.receive(.have(file.id, file.all), from: 1)
        #expect(bench.requested(sent) == [0])
        sent = try bench.receive(try chunk(file, 0), from: 1)
        #expect(Set(bench.requested(sent)) == Set(1...4))
        for position in 1...4 { sent = try bench.receive(try chunk(file, position), from: 1) }
        #expect(sent == [.enough(file.id, isFinal: true)] && file.isWhole(in: bench.store))
        #expect(bench.store.file(file.id)?.want == FileRecord.Want.none)
        #expect(try bench.run().sent.isEmpty)
        #expect(bench.files.fetches.isEmpty && bench.files.isUnused(SessionID(rawValue: 1)))
    }

    @Test("a wrong chunk is doubted, not stored, and not requested of that peer again")
    func wrongChunk() throws {
        var (bench, file) = try makeFetching()
        _ = try bench.receive(.have(file.id, file.all), from: 1)
        var bad = try #require(file.chunks[0])
        bad[3] ^= 1
        let sent = try bench.receive(.chunk(file.id, 0, bad[...]), from: 1)
        #expect(sent.contains(.doubt(file.id, 0)) && bench.requested(sent).isEmpty)
        #expect(bench.store.chunk(0, of: file.id) == nil && bench.store.file(file.id)?.held.isEmpty == true)
        // Another peer is asked for it.
        #expect(bench.requested(try bench.receive(.have(file.id, file.all), from: 2)) == [0])
        // So is one that sends too few bytes.
        let short = try #require(file.chunks[0]).dropLast()
        #expect(try bench.receive(.chunk(file.id, 0, short), from: 2).contains(.doubt(file.id, 0)))
    }

    @Test("a chunk that was not requested is ignored")
    func unrequested() throws {
        var (bench, file) = try makeFetching()
        #expect(try bench.receive(try chunk(file, 0), from: 1).isEmpty)
        #expect(bench.store.chunk(0, of: file.id) == nil)
    }

    @Test("a declined chunk is requested of another peer")
    func declined() throws {
        var (bench, file) = try makeFetching()
        _ = try bench.receive(.have(file.id, file.all), from: 1)
        let sent = try bench.receive(.decline(file.id, 0), from: 1)
        #expect(bench.requested(sent).isEmpty)
        #expect(sent.contains(.enough(file.id, isFinal: false)))
        #expect(bench.requested(try bench.receive(.have(file.id, file.all), from: 2)) == [0])
    }

    @Test("a chunk is requested of one peer at a time, and of another when the session closes")
    func closing() throws {
        var (bench, file) = try makeFetching()
        #expect(bench.requested(try bench.receive(.have(file.id, file.all), from: 1)) == [0])
        #expect(bench.requested(try bench.receive(.have(file.id, file.all), from: 2)).isEmpty)
        bench.files.close(SessionID(rawValue: 1))
        #expect(bench.requested(try bench.run().sent[SessionID(rawValue: 2)]) == [0])
        bench.files.remove(SessionID(rawValue: 1))
        #expect(bench.files.sessions.ids == [SessionID(rawValue: 2)])
    }

    @Test("a silent peer is not waited for after 10 s, and its chunk is still received", arguments: [9_999, 10_000])
    func silent(elapsed: UInt64) throws {
        var (bench, file) = try makeFetching()
        _ = try bench.receive(.have(file.id, file.all), from: 1)
        _ = try bench.receive(.have(file.id, file.all), from: 2)
        #expect(bench.files.nextWake(of: SessionID(rawValue: 1)) == bench.bench.now + 10_000)
        bench.bench.now += elapsed
        let sent = try bench.run().sent
        #expect(bench.requested(sent[SessionID(rawValue: 2)]) == (elapsed < 10_000 ? [] : [0]))
        _ = try bench.receive(try chunk(file, 0), from: 1)
        #expect(bench.store.file(file.id)?.held.contains(0) == true)
    }

    @Test("held chunks are served, and others are declined")
    func serving() throws {
        var (bench, file) = try makeFetching()
        file.write(RangeSet(0..<3), into: bench.store)
        try bench.run { files, batch in try files.add(RequestID(2), file.id, held: RangeSet(0..<3), in: &batch) }
        var sent = try bench.receive(.want(file.id), from: 1)
        #expect(sent.contains(.have(file.id, RangeSet(0..<3))))
        sent = try bench.receive(.request(file.id, RangeSet(2..<4)), from: 1)
        #expect(sent.contains(try chunk(file, 2)) && sent.contains(.decline(file.id, 3)))
        // A chunk that was told to nobody is not sent, though it is held.
        #expect(try bench.receive(.request(file.id, RangeSet(1..<2)), from: 2) == [.decline(file.id, 1)])
    }

    @Test("a peer that is not served is told of nothing")
    func notServed() throws {
        var bench = try FileBench(seed: 5)
        let file = try MadeFile(bytes: 1_000, seed: 5)
        try bench.refer(to: [file.id])
        file.write(file.all, into: bench.store)
        bench.open(1, isServed: false)
        try bench.run { files, batch in try files.add(RequestID(2), file.id, held: file.all, in: &batch) }
        #expect(try bench.receive(.want(file.id), from: 1) == [.have(file.id, RangeSet())])
        #expect(try bench.receive(.request(file.id, file.all), from: 1) == [.decline(file.id, 0)])
    }

    @Test("a file that no event of the group refers to is not served")
    func notReferred() throws {
        var bench = try FileBench(seed: 6)
        let file = try MadeFile(bytes: 1_000, seed: 6)
        file.write(file.all, into: bench.store)
        bench.open(1)
        try bench.run { files, batch in try files.add(RequestID(2), file.id, held: file.all, in: &batch) }
        #expect(try bench.receive(.want(file.id), from: 1) == [.have(file.id, RangeSet())])
    }

    @Test("a doubted chunk that has rotted here is given up and fetched, and an intact one stays")
    func doubt() throws {
        for isRotten in [false, true] {
            var (bench, file) = try makeFetching()
            file.write(file.all, into: bench.store)
            try bench.run { files, batch in try files.add(RequestID(2), file.id, held: file.all, in: &batch) }
            _ = try bench.receive(.want(file.id), from: 1)
            // Without a chunk that was sent there is nothing to doubt.
            if isRotten { bench.store.setChunk([1, 2, 3], at: 2, of: file.id) }
            _ = try bench.receive(.doubt(file.id, 2), from: 1)
            #expect(bench.store.file(file.id)?.isComplete == true)
            _ = try bench.receive(.request(file.id, RangeSet(2..<3)), from: 1)
            _ = try bench.receive(.doubt(file.id, 2), from: 1)
            #expect(bench.store.file(file.id)?.held.contains(2) == !isRotten)
            #expect((bench.files.fetches[file.id] != nil) == isRotten)
        }
    }

    @Test("a peer may have 64 requested chunks waiting")
    func requestBound() throws {
        var bench = try FileBench(seed: 7)
        let file = try MadeFile(bytes: 65_520 * 80, seed: 7, isUniform: true)
        try bench.refer(to: [file.id])
        file.write(file.all, into: bench.store)
        bench.open(1)
        try bench.run { files, batch in try files.add(RequestID(2), file.id, held: file.all, in: &batch) }
        _ = try bench.receive(.want(file.id), from: 1)
        for count in [64, 65, 81] {
            #expect(try bench.receive(.request(file.id, RangeSet(0..<count)), from: 1).count == 64)
        }
        #expect(try bench.receive(.request(file.id, RangeSet(0..<63)), from: 1).count == 63)
    }

    @Test("a file that fits the quota to the byte is fetched, and one byte less refuses it", arguments: [0, 1])
    func quota(missing: UInt64) throws {
        var bench = try FileBench(seed: 8)
        let files = try (0..<2).map { try MadeFile(bytes: 10_000, seed: UInt64(80 + $0)) }
        try bench.refer(to: files.map(\.id))
        let quota = files.reduce(0) { $0 + $1.id.charge } - missing
        let effects = try bench.run { sync, batch in
            try sync.setLimits(RequestID(1), FileLimits(quota: quota, automatic: 0), in: &batch)
            for file in files { try sync.want(RequestID(2), file.id, from: nil, in: &batch) }
        }.effects
        let isRefused = effects.contains { if case .failed(_, .fileQuota) = $0 { true } else { false } }
        #expect(isRefused == (missing > 0))
        #expect(bench.files.fetches.count == (missing > 0 ? 1 : 2))
    }
}
