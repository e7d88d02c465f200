import Testing
import TomboloCore
import TomboloCrypto

@Suite("Bytes from anyone do no harm")
struct HostileInputTests {
    @Test("no mutation of real payloads crashes a decoder or an engine", arguments: [UInt64(11), 12, 13, 14])
    func mutatedPayloads(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let cluster = try Cluster("ann", "bob", seed: seed)
        for round in 0..<40 { try cluster[round % 2].send("round \(round)") }
        for _ in 0..<40 {
            cluster.intercept { wire in
                guard wire.bytes.count > 4, UInt8.random(in: 0..<4, using: &generator) == 0 else { return wire.bytes }
                var bytes = wire.bytes
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes[index] = UInt8.random(in: 0...255, using: &generator)
                }
                if Bool.random(using: &generator) {
                    bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
                }
                return bytes
            }
            try cluster.sync("ann", "bob")
            for device in cluster.all { try device.send("more") }
        }
        // An honest meeting afterwards makes the devices equal, whatever happened before.
        cluster.stopIntercepting()
        for _ in 0..<2 { try cluster.sync("ann", "bob") }
        #expect(Set(cluster["ann"].texts) == Set(cluster["bob"].texts), "seed \(seed)")
        #expect(cluster["ann"].delivered.count == 120, "seed \(seed)")
        for device in cluster.all { #expect(isCausal(device.delivered), "seed \(seed)") }
    }

    @Test("random bytes are refused or decoded, and never crash", arguments: [UInt64(21), 22])
    func randomBytes(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0..<200, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }[...]
            _ = try? Payload(decoding: bytes)
            _ = try? Message(decoding: bytes)
            _ = try? EventHeader(decoding: bytes)
            _ = try? Certificate(decoding: bytes)
            _ = try? GroupStatement(decoding: bytes)
            _ = try? Invitation(decoding: bytes)
            _ = try? PuncturableKey(decoding: bytes)
            _ = try? RekeySecret(decoding: Array(bytes))
            _ = try? SecretShare(decoding: Array(bytes))
            _ = try? CarriedSecret(decoding: bytes)
            _ = try? StateAction(decoding: bytes, kind: .checkpoint)
        }
    }

    @Test("integers of 2^53 and above are refused everywhere, and the highest below are accepted")
    func integers() throws {
        let (id, log) = (EventID(.zero), LogID(.zero))
        let highest = Limits.integer - 1
        func header(_ change: (inout EventHeader) -> Void) -> Bytes {
            var header = EventHeader(
                kind: .message, isSalted: false, log: log, sequence: 7, previous: Backlink(id: id, lamport: 9),
                parents: [EventReference(id: EventID(Bytes32(words: 1)), log: log, sequence: 3, lamport: 30)],
                expiry: 5, contentLength: 0, commitment: .zero)
            change(&header)
            return header.encoded[...]
        }
        #expect(throws: Never.self) { try EventHeader(decoding: header { _ in }) }
        #expect(throws: Never.self) { try EventHeader(decoding: header { $0.expiry = highest }) }
        #expect(throws: Never.self) {
            try EventHeader(
                decoding: header {
                    $0.parents[0].lamport = highest - 1
                    $0.lamport = highest
                })
        }
        for value in [Limits.integer, 1 << 63, .max] {
            #expect(throws: EventError.self) { try EventHeader(decoding: header { $0.previous?.lamport = value }) }
            #expect(throws: EventError.self) { try EventHeader(decoding: header { $0.parents[0].lamport = value }) }
            #expect(throws: EventError.self) { try EventHeader(decoding: header { $0.parents[0].sequence = value }) }
            #expect(throws: EventError.self) { try EventHeader(decoding: header { $0.lamport = value }) }
            #expect(throws: EventError.self) { try EventHeader(decoding: header { $0.expiry = value }) }
            #expect(throws: EventError.self) { try EventHeader(decoding: header { $0.sequence = value }) }
        }
    }

    @Test("a header decodes to itself; a byte more or less gives an error or another header")
    func headers() throws {
        let id = EventID(Bytes32(hex: String(repeating: "ab", count: 32)) ?? .zero)
        let log = LogID(Bytes32(hex: String(repeating: "cd", count: 32)) ?? .zero)
        let header = EventHeader(
            kind: .message, isSalted: true, log: log, sequence: 7, previous: Backlink(id: id, lamport: 9),
            parents: [EventReference(id: EventID(.zero), log: log, sequence: 3, lamport: 30)],
            expiry: 1_800_000_000_000,
            contentLength: 65_536, commitment: .zero, extensions: [9, 1, 0])
        #expect(header.lamport == 31)
        let bytes = header.encoded
        #expect(try EventHeader(decoding: bytes[...]) == header)
        #expect(throws: EventError.self) { try EventHeader(decoding: bytes.dropLast()) }
        #expect(throws: EventError.self) { try EventHeader(decoding: (bytes + [0])[...]) }
        var wrongLamport = header
        wrongLamport.lamport = 32
        #expect(throws: EventError.self) { try EventHeader(decoding: wrongLamport.encoded[...]) }
        var tooLong = header
        tooLong.contentLength = 65_537
        #expect(throws: EventError.self) { try EventHeader(decoding: tooLong.encoded[...]) }
    }
}

extension Bytes32 {
    fileprivate init(words last: UInt8) { self = Bytes32([UInt8](repeating: 0, count: 31) + [last]) ?? .zero }
}
