import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("The transit form of events")
struct TransitTests {
    /// The events that a receiver holds, by their places in a log.
    private struct Receiver {
        struct Place: Hashable {
            let log: LogID
            let sequence: UInt64
        }
        var held: [Place: [Event]] = [:]

        init(_ events: [Event] = []) {
            for event in events { add(event) }
        }

        mutating func add(_ event: Event) {
            held[Place(log: event.log, sequence: event.sequence), default: []].append(event)
        }

        func holds(_ log: LogID, _ sequence: UInt64) -> Bool {
            held[Place(log: log, sequence: sequence)]?.count == 1
        }

        func decode(_ bytes: [UInt8]) throws -> (events: [Event], isStuck: Bool) {
            var (decoder, logs, events) = (TransitDecoder(), LogTable(), [Event]())
            var reader = WireReader(bytes[...])
            var hashing = EventHashing(group: GroupID(.zero))
            try decoder.decode(
                &reader, logs: &logs, hashing: &hashing, using: SwiftCryptography(),
                held: { (log, sequence) throws(StoreError) in
                    let events = held[Place(log: log, sequence: sequence)] ?? []
                    return events.count == 1 ? Backlink(id: events[0].id, lamport: events[0].lamport) : nil
                }, into: &events)
            return (events, decoder.isStuck)
        }
    }

    private func encode(_ events: [Event], for receiver: Receiver = Receiver()) -> [UInt8] {
        var (encoder, logs, bytes) = (TransitEncoder(), LogTable(), [UInt8]())
        for event in events {
            encoder.encode(
                event, signature: event.signature, receiverHolds: receiver.holds, logs: &logs, into: &bytes)
        }
        return bytes
    }

    private func salted(_ log: inout ForeignLog, after previous: Event?) -> Event {
        var hashing = EventHashing(group: GroupID(.zero))
        let (salt, content) = ([UInt8](repeating: 3, count: 16)[...], Array("salted".utf8)[...])
        let commitment = hashing.commitment(salt: salt, content: content, using: SwiftCryptography())
        return log.event(after: previous, "salted") { ($0.isSalted, $0.commitment) = (true, commitment) }
            .with(content, salt: salt)
    }

    @Test("events come back as they were, with and without a beginning", arguments: 1...12 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        let graph = RandomGraph(logs: 4, events: 80, seed: seed, signs: true)
        for known in [0, 1, 30, 79] {
            let receiver = Receiver(Array(graph.events.prefix(known)))
            let events = Array(graph.events.dropFirst(known))
            let (decoded, isStuck) = try receiver.decode(encode(events, for: receiver))
            #expect(decoded == events && !isStuck, "seed \(seed), \(known) known")
        }
    }

    @Test("salts, erased contents and missing signatures come back as they were")
    func variants() throws {
        var log = ForeignLog(group: GroupID(.zero), seed: 3)
        let first = log.event(after: nil, "first", signed: false)
        let second = salted(&log, after: first)
        let third = salted(&log, after: second).erased
        let events = [first, second, third.signed(with: nil)]
        #expect(try Receiver().decode(encode(events)).events == events)
    }

    @Test("a reference takes less by place than in full, and least in the list")
    func references() throws {
        var logs = (0..<3).map { ForeignLog(group: GroupID(.zero), seed: UInt64(20 + $0)) }
        let parent = logs[0].event(after: nil, "parent")
        let (a, b) = (
            logs[1].event(after: nil, parents: [parent], "a"), logs[2].event(after: nil, parents: [parent], "b")
        )
        let holder = Receiver([parent])
        let (inFull, byPlace) = (encode([a]), encode([a], for: holder))
        #expect(inFull.count > byPlace.count + 31)
        #expect(try Receiver().decode(inFull).events == [a])
        #expect(try holder.decode(byPlace).events == [a])
        // The second time the parent is in the list, whichever form came first.
        let lone = encode([b]).count
        #expect(encode([a, b]).count < inFull.count + lone - 64)
        #expect(encode([parent, a]).count < encode([parent]).count + inFull.count - 64)
        #expect(try Receiver().decode(encode([a, b])).events == [a, b])
        #expect(try Receiver().decode(encode([parent, a, b])).events == [parent, a, b])
    }

    @Test("a receiver that lacks a referenced event, or holds two, is stuck and gets nothing from there on")
    func stuck() throws {
        let (events, other) = forkedParent()
        let holder = Receiver([events[0]])
        let bytes = encode(Array(events.dropFirst()), for: holder)
        #expect(try holder.decode(bytes).events == Array(events.dropFirst()))
        for receiver in [Receiver(), Receiver([events[0], other])] {
            let (decoded, isStuck) = try receiver.decode(bytes)
            #expect(isStuck && decoded.isEmpty)
        }
    }

    @Test("a receiver that holds another event at a place rebuilds events with other ids")
    func another() throws {
        let (events, other) = forkedParent()
        let bytes = encode(Array(events.dropFirst()), for: Receiver([events[0]]))
        let decoded = try Receiver([other]).decode(bytes).events
        // Only the event that names none is what it was.
        #expect(decoded.count == 3 && Set(decoded.map(\.id)).intersection(events.map(\.id)) == [events[3].id])
    }

    /// A parent, two events that name it by place, an event without references, and another event at the parent's
    /// place.
    private func forkedParent() -> ([Event], other: Event) {
        var (log, second) = (ForeignLog(group: GroupID(.zero), seed: 30), ForeignLog(group: GroupID(.zero), seed: 31))
        let parent = log.event(after: nil, "parent")
        let other = log.event(after: nil, "another parent")
        let child = second.event(after: nil, parents: [parent], "child")
        var third = ForeignLog(group: GroupID(.zero), seed: 32)
        return ([parent, child, log.event(after: parent, "next"), third.event(after: nil, "alone")], other)
    }

    @Test("every truncation is an error or yields fewer events")
    func truncations() throws {
        let events = RandomGraph(logs: 3, events: 12, seed: 40, signs: true).events
        let bytes = encode(events)
        var (errors, prefixes) = (0, 0)
        for count in 0..<bytes.count {
            do {
                let (decoded, _) = try Receiver().decode(Array(bytes.prefix(count)))
                #expect(decoded.count < events.count && decoded == Array(events.prefix(decoded.count)))
                prefixes += 1
            } catch is TransitError { errors += 1 }
        }
        // Only at the ends of events are there no errors.
        #expect(prefixes == events.count && errors == bytes.count - events.count)
    }

    @Test("every flipped byte is an error or yields other events", arguments: 1...4 as ClosedRange<UInt64>)
    func flips(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let graph = RandomGraph(logs: 3, events: 10, seed: 40 + seed, signs: true)
        let receiver = Receiver(Array(graph.events.prefix(4)))
        let events = Array(graph.events.dropFirst(4))
        let bytes = encode(events, for: receiver)
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= UInt8.random(in: 1...255, using: &generator)
            do {
                let (decoded, isStuck) = try receiver.decode(changed)
                #expect(decoded != events || isStuck, "byte \(place)")
            } catch is TransitError {}
        }
    }
}
