import Testing
import TomboloCore

@Suite("Log tables")
struct LogTableTests {
    private func ids(_ count: Int, seed: UInt64) -> [LogID] {
        var generator: any RandomNumberGenerator & Sendable = SeededGenerator(seed: seed)
        return (0..<count).map { _ in LogID(.random(using: &generator)) }
    }

    @Test("numbers of agreed logs come first, ascending, then those of declared logs", arguments: [0, 1, 2, 100])
    func numbers(agreed count: Int) throws {
        let (known, others) = (ids(count, seed: 3).sorted(), ids(5, seed: 4))
        var (writer, reader) = (LogTable(known), LogTable(known))
        var bytes: [UInt8] = []
        let said = others + known + others.reversed() + known.reversed()
        for (place, log) in said.enumerated() {
            let before = bytes.count
            let number = writer.write(log, to: &bytes)
            #expect(number == known.firstIndex(of: log) ?? count + (others.firstIndex(of: log) ?? 0))
            // A new log is written out once.
            #expect((bytes.count - before > 32) == (place < others.count))
        }
        var source = WireReader(bytes[...])
        for log in said { #expect(try reader.read(&source) == log) }
        #expect(source.isAtEnd && reader.count == count + others.count)
    }

    @Test("a declaration of an agreed log, a repeated one, and a number beyond the table are refused")
    func declaredAgain() throws {
        let known = ids(3, seed: 5).sorted()
        let new = ids(1, seed: 6)[0]
        func read(_ number: Int, _ log: LogID?, after declared: LogID? = nil) throws -> LogID {
            var (table, bytes) = (LogTable(known), [UInt8]())
            if let declared { table.write(declared, to: &bytes) }
            bytes = []
            bytes.append(varint: number)
            if let log { bytes.append(log) }
            var reader = WireReader(bytes[...])
            return try table.read(&reader)
        }
        #expect(try read(2, nil) == known[2])
        #expect(try read(3, new) == new)
        for log in known { #expect(throws: WireError.self) { try read(3, log) } }
        #expect(throws: WireError.self) { try read(4, new, after: new) }
        #expect(throws: WireError.self) { try read(4, new) }
    }

    @Test(
        "ids and numbers of a frontier's logs stay right in any order of arrival",
        arguments: 1...5 as ClosedRange<UInt64>)
    func frontier(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var frontier = Frontier()
        var references: [LogID: Int64] = [:]
        for (place, id) in ids(60, seed: seed).enumerated() {
            // The numbers belong to one store, in which other groups have logs too. They do not arrive in this order.
            let reference = Int64(place) * 3 + Int64.random(in: -30...30, using: &generator) * 180
            var log = LogState(id: id)
            log.reference = reference
            let index = frontier.append(log)
            references[id] = reference
            #expect(frontier.index(ofReference: reference) == index && frontier.index(of: id) == index)
            for limit in [Int64.random(in: -6_000...6_000, using: &generator), .max, .min] {
                let expected = references.filter { $0.value <= limit }.map(\.key).sorted()
                // The question is asked twice, since the answer is cached.
                for _ in 0..<2 { #expect(frontier.ids(upTo: limit) == expected) }
            }
        }
        for (id, reference) in references {
            #expect(frontier.index(ofReference: reference) == frontier.index(of: id))
            #expect(frontier.index(ofReference: reference + 1) == nil)
        }
    }
}
