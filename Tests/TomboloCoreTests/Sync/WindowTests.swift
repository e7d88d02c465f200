import Testing

@testable import TomboloCore

@Suite("A window that is being made")
struct WindowTests {
    /// A chain of events with contents of a size, signed at some sequences.
    private func chain(_ count: Int, bytes: Int = 4, seed: UInt64 = 1, signed: (Int) -> Bool) -> [Event] {
        var log = ForeignLog(group: GroupID(.zero), seed: seed)
        var events: [Event] = []
        let text = String(repeating: "x", count: bytes)
        for _ in 1...count { events.append(log.event(after: events.last, text, signed: false)) }
        return events.map { signed(Int($0.sequence)) ? $0.withSomeSignature : $0 }
    }

    private func window(_ logs: [Event]..., isLinear: Bool = true) -> Window {
        var window = Window()
        for (cursor, events) in logs.enumerated() {
            for event in events {
                window.append(PlannedEvent(cursor: cursor, log: cursor, isLinear: isLinear, event: event))
            }
        }
        return window
    }

    private func chosen(_ window: Window) -> [Int] {
        window.signaturesToSend().enumerated().filter(\.element).map(\.offset)
    }

    @Test("of a signed chain, one signature in 128 and the last are sent", arguments: [1, 127, 128, 129, 300])
    func runLength(count: Int) {
        let window = window(chain(count) { _ in true })
        let expected = Array(stride(from: 127, to: count, by: 128)) + (count % 128 == 0 ? [] : [count - 1])
        #expect(chosen(window) == expected)
    }

    @Test("a run of more than 65,536 bytes of content is signed, and one of as many is not")
    func runBytes() {
        #expect(chosen(window(chain(4, bytes: 16_384) { _ in true })) == [3])
        #expect(chosen(window(chain(8, bytes: 16_384) { _ in true })) == [4, 7])
    }

    @Test("only signed events are chosen, and no run is longer than needed", arguments: 1...8 as ClosedRange<UInt64>)
    func runRule(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let logs = (0..<3).map { log in
            let kept = Set((1...400).filter { _ in Int.random(in: 0..<10, using: &generator) == 0 } + [400])
            return chain(400, seed: seed * 10 + UInt64(log)) { kept.contains($0) }
        }
        let window = window(logs[0], logs[1], logs[2])
        let isSent = window.signaturesToSend()
        for log in logs.indices {
            let places = window.events.indices.filter { window.events[$0].cursor == log }
            let signed = places.filter { window.events[$0].event.signature != nil }
            let sent = places.filter { isSent[$0] }
            #expect(sent.last == places.last)
            #expect(sent.allSatisfy { signed.contains($0) })
            var from = places[0] - 1
            for place in sent {
                #expect(place - from <= 128)
                from = place
            }
            // Of three signatures in a row, the outer two do not lie within one run: the middle one was needed.
            for (first, third) in zip([places[0] - 1] + sent, sent.dropFirst()) {
                #expect(third == places.last || third - first > 128)
            }
        }
    }

    @Test("a gap ends a run, and branches keep all signatures")
    func gapsAndBranches() {
        let events = chain(12) { _ in true }
        #expect(chosen(window(Array(events[0..<3] + events[8..<12]))) == [2, 6])
        #expect(chosen(window(events, isLinear: false)) == Array(0..<12))
        #expect(chosen(window(chain(3) { _ in false })) == [])
    }

    @Test("events that nothing authenticates are removed from the end of one log")
    func removeUnsigned() {
        let (first, second) = (chain(5) { $0 == 3 }, chain(4, seed: 2) { $0 == 4 })
        var window = window(first, second)
        #expect(window.unsignedLogs == 1 && window.isUnsigned(0) && !window.isUnsigned(1))
        #expect(window.unsignedCursors == [0])
        let (removed, isSomeLeft) = window.removeUnsigned(of: 0)
        #expect(removed.map(\.event.sequence) == [4, 5])
        #expect(isSomeLeft && window.unsignedLogs == 0 && !window.isUnsigned(0))
        #expect(window.events.map(\.event.id) == (first.prefix(3) + second).map(\.id))
    }

    @Test("of a log without a signature nothing is left")
    func removeAll() {
        var window = window(chain(4) { _ in false })
        let (removed, isSomeLeft) = window.removeUnsigned(of: 0)
        #expect(removed.count == 4 && !isSomeLeft && window.events.isEmpty && window.unsignedLogs == 0)
    }

    @Test("a signed branch authenticates the trunk, and an unsigned branch is removed alone")
    func branches() {
        var log = ForeignLog(group: GroupID(.zero), seed: 3)
        let trunk = log.chain(3, "trunk").map { $0.signed(with: nil) }
        let left = log.chain(2, after: trunk.last, "left").map { $0.signed(with: nil) }
        let right = log.event(after: trunk.last, "right")
        var window = window(trunk + left + [right], isLinear: false)
        #expect(window.unsignedLogs == 1)
        let (removed, isSomeLeft) = window.removeUnsigned(of: 0)
        #expect(removed.map(\.event.id) == left.map(\.id))
        #expect(isSomeLeft && window.unsignedLogs == 0)
        #expect(window.events.map(\.event.id) == (trunk + [right]).map(\.id))
    }

    @Test("a window's weight bounds what its events count for")
    func weight() {
        let events = chain(10, bytes: 100) { _ in true }
        let window = window(events)
        #expect(window.weight >= events.reduce(0) { $0 + 100 + $1.headerBytes.count + $1.rebuiltSize })
        #expect(window.wireBytes >= 10 * 100 && window.wireBytes < window.weight)
    }
}
