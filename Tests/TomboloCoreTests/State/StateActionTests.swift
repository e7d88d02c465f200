import Testing
import TomboloCore

/// The contents of state events: bounds from both sides, and whatever bytes somebody signs.
struct StateActionTests {
    private func lowering(keeping count: Int) -> [UInt8] {
        var bytes: [UInt8] = [2] + [UInt8](repeating: 7, count: 32) + [0]
        for _ in 0..<count { bytes += [UInt8](repeating: 1, count: 32) + [5] + [UInt8](repeating: 2, count: 32) }
        return bytes
    }

    private func grant(superseding demotions: Int, adopting logs: Int) -> [UInt8] {
        let ids = (0..<demotions).map { EventID(Bytes32(word: UInt64($0))) }.sorted()
        let end = LogPosition(log: LogID(.zero), sequence: 5, id: EventID(.zero))
        return StateAction.grant(
            MemberKey(.zero), .admin, superseding: ids, adopting: [LogPosition](repeating: end, count: logs)
        ).encoded
    }

    private func rekey(knowing logs: Int) -> [UInt8] {
        let end = LogPosition(log: LogID(.zero), sequence: 5, id: EventID(.zero))
        let known = [LogPosition](repeating: end, count: logs)
        return StateAction.rekey(Rekey(commitment: .zero, exclusions: .zero, known: known)).encoded
    }

    @Test func grantsAndRekeysAtTheirBounds() throws {
        for (demotions, logs) in [(0, 0), (512, 512)] {
            let longest = grant(superseding: demotions, adopting: logs)
            #expect(try StateAction(decoding: longest[...], kind: .membership).encoded == longest)
            #expect(longest.count <= Limits.content)
        }
        #expect(throws: WireError.self) {
            try StateAction(decoding: grant(superseding: 513, adopting: 0)[...], kind: .membership)
        }
        #expect(throws: WireError.self) {
            try StateAction(decoding: grant(superseding: 0, adopting: 513)[...], kind: .membership)
        }
        #expect(try StateAction(decoding: rekey(knowing: 512)[...], kind: .rekey).encoded == rekey(knowing: 512))
        #expect(throws: WireError.self) { try StateAction(decoding: rekey(knowing: 513)[...], kind: .rekey) }
        #expect(throws: WireError.self) { try StateAction(decoding: rekey(knowing: 0).dropLast()[...], kind: .rekey) }
    }

    private func setting(key: Int, value: Int) -> [UInt8] {
        [UInt8(key)] + [UInt8](repeating: 0x6b, count: key) + [1] + [UInt8](repeating: 0, count: value)
    }

    @Test func boundsHold() throws {
        let kept = try StateAction(decoding: lowering(keeping: 512)[...], kind: .membership)
        #expect(kept.encoded == lowering(keeping: 512))
        #expect(throws: WireError.self) { try StateAction(decoding: lowering(keeping: 513)[...], kind: .membership) }
        #expect(lowering(keeping: 512).count <= Limits.content)
        let value = try StateAction(decoding: setting(key: 255, value: 4_096)[...], kind: .setting)
        #expect(value.encoded == setting(key: 255, value: 4_096))
        #expect(throws: WireError.self) {
            try StateAction(decoding: setting(key: 1, value: 4_097)[...], kind: .setting)
        }
        #expect(throws: WireError.self) { try StateAction(decoding: setting(key: 0, value: 1)[...], kind: .setting) }
        #expect(throws: WireError.self) { try StateAction(decoding: [1, 0xff, 1][...], kind: .setting) }
        #expect(throws: WireError.self) { try StateAction(decoding: [1, 0x6b, 0, 0][...], kind: .setting) }
    }

    private func redaction(because reason: String) -> [UInt8] {
        let event = LogPosition(log: LogID(.zero), sequence: 1, id: EventID(.zero))
        return StateAction.redact(Redaction(of: event, by: MemberKey(.zero), reason: reason)).encoded
    }

    @Test func redactionsAtTheirBounds() throws {
        let longest = redaction(because: String(repeating: "x", count: 1_024))
        #expect(try StateAction(decoding: longest[...], kind: .redaction).encoded == longest)
        #expect(throws: WireError.self) { try StateAction(decoding: (longest + [0x78])[...], kind: .redaction) }
        let shortest = redaction(because: "")
        #expect(try StateAction(decoding: shortest[...], kind: .redaction).encoded == shortest)
        #expect(throws: WireError.self) { try StateAction(decoding: shortest.dropLast()[...], kind: .redaction) }
        #expect(throws: WireError.self) { try StateAction(decoding: (shortest + [0xff])[...], kind: .redaction) }
    }

    /// Bytes that decode give the same bytes when they are encoded again; none crash.
    @Test(arguments: 0..<20) func anyBytes(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let valid = [
            grant(superseding: 2, adopting: 1), rekey(knowing: 1), lowering(keeping: 2), setting(key: 4, value: 9),
            StateAction.set(key: "title", value: nil).encoded, redaction(because: "spam"), [],
        ]
        for _ in 0..<2_000 {
            var bytes = valid.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                }
            }
            for kind in [EventKind.membership, .setting, .redaction, .rekey] {
                guard let action = try? StateAction(decoding: bytes[...], kind: kind) else { continue }
                #expect(action.encoded == bytes && action.kind == kind, "seed \(seed): \(bytes)")
            }
        }
    }
}
