import Testing

@testable import TomboloCore

@Suite("Pacing of windows")
struct WindowPacingTests {
    /// Sends a window of the size that may begin, and notes it as processed some milliseconds later.
    private func carry(_ pacing: inout WindowPacing, at now: inout UInt64, after elapsed: UInt64) throws {
        let size = try #require(pacing.nextWindow(limit: Limits.inFlight))
        pacing.noteSent(size)
        pacing.noteWindow(at: now)
        now += elapsed
        pacing.noteProcessed(pacing.sentBytes, at: now)
    }

    @Test("windows begin at 64 KiB or half of the limit")
    func first() {
        let pacing = WindowPacing()
        #expect(pacing.nextWindow(limit: Limits.inFlight) == 65_536)
        #expect(pacing.nextWindow(limit: 131_072) == 65_536)
        #expect(pacing.nextWindow(limit: 131_070) == 65_535)
        #expect(pacing.nextWindow(limit: Limits.smallestWindow) == 2_048)
    }

    @Test("windows grow fourfold up to half of what may be in flight")
    func growth() throws {
        var (pacing, now, sizes) = (WindowPacing(), UInt64(1_000), [Int]())
        for _ in 0..<6 {
            sizes.append(try #require(pacing.nextWindow(limit: Limits.inFlight)))
            try carry(&pacing, at: &now, after: 1)
        }
        #expect(sizes == [65_536, 262_144, 1_048_576, 4_194_304, 4_194_304, 4_194_304])
    }

    @Test("windows shrink to what is processed in a quarter of a second, and not below 64 KiB")
    func shrink() throws {
        var (pacing, now) = (WindowPacing(), UInt64(1_000))
        for _ in 0..<2 { try carry(&pacing, at: &now, after: 1) }
        #expect(pacing.nextWindow(limit: Limits.inFlight) == 1_048_576)
        try carry(&pacing, at: &now, after: 250)
        #expect(pacing.nextWindow(limit: Limits.inFlight) == 1_048_576)
        try carry(&pacing, at: &now, after: 1_000)
        #expect(pacing.nextWindow(limit: Limits.inFlight) == 262_144)
        try carry(&pacing, at: &now, after: 100_000)
        #expect(pacing.nextWindow(limit: Limits.inFlight) == 65_536)
    }

    @Test("two windows are under way at most")
    func two() {
        var pacing = WindowPacing()
        for _ in 0..<2 {
            #expect(pacing.nextWindow(limit: Limits.inFlight) != nil)
            pacing.noteSent(65_536)
            pacing.noteWindow(at: 1)
        }
        #expect(pacing.nextWindow(limit: Limits.inFlight) == nil)
        // A part of a window does not count.
        pacing.noteProcessed(65_535, at: 2)
        #expect(pacing.nextWindow(limit: Limits.inFlight) == nil)
        pacing.noteProcessed(65_536, at: 2)
        #expect(pacing.nextWindow(limit: Limits.inFlight) != nil)
        #expect(pacing.inFlight == 65_536)
    }

    @Test("a second window begins only if both fit into the limit", arguments: [(50_000, true), (50_001, false)])
    func limit(sent: Int, fits: Bool) {
        var pacing = WindowPacing()
        pacing.noteSent(sent)
        pacing.noteWindow(at: 1)
        #expect((pacing.nextWindow(limit: 100_000) != nil) == fits)
    }

    @Test("the second window's time counts from when the first was processed")
    func overlapping() {
        var pacing = WindowPacing()
        for _ in 0..<2 {
            pacing.noteSent(1_000_000)
            pacing.noteWindow(at: 1_000)
        }
        pacing.noteProcessed(1_000_000, at: 11_000)
        #expect(pacing.nextWindow(limit: Limits.inFlight) == 65_536)
        // From its beginning it took 10.25 s, from the first one's end a quarter of a second.
        pacing.noteProcessed(2_000_000, at: 11_250)
        #expect(pacing.nextWindow(limit: Limits.inFlight) == 262_144)
    }
}
