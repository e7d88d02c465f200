import Testing

@testable import TomboloCore

@Suite("Pacing of chunks")
struct ChunkPacingTests {
    @Test("the limit grows by one a chunk in time, up to 64")
    func growth() {
        var pacing = ChunkPacing()
        #expect(pacing.limit == 4)
        for _ in 0..<100 {
            let before = pacing.limit
            pacing.noteArrival(askedAt: 1_000, now: 1_250)
            #expect(pacing.limit == min(before + 1, 64))
        }
    }

    @Test("a chunk after half a second halves the limit, and one before does not", arguments: [251, 500, 501, 5_000])
    func shrink(elapsed: UInt64) {
        var pacing = ChunkPacing()
        pacing.noteArrival(askedAt: 1_000, now: 1_000 + elapsed)
        #expect(pacing.limit == (elapsed > 500 ? 2 : 4))
    }

    @Test("chunks that were on their way together halve the limit once")
    func together() {
        var pacing = ChunkPacing()
        for _ in 0..<20 { pacing.noteArrival(askedAt: 1_000, now: 1_001) }
        for now in 3_000..<3_010 as Range<UInt64> { pacing.noteArrival(askedAt: 2_000, now: now) }
        #expect(pacing.limit == 12)
        pacing.noteArrival(askedAt: 3_000, now: 4_000)
        #expect(pacing.limit == 6)
    }

    @Test("a silent peer is asked for one chunk, and never for none")
    func stall() {
        var pacing = ChunkPacing()
        pacing.noteStall()
        #expect(pacing.limit == 1)
        pacing.noteArrival(askedAt: 1_000, now: 9_000)
        #expect(pacing.limit == 1)
    }
}
