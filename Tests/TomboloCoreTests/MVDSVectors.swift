import Testing
import TomboloCore
import TomboloCrypto

@Suite("MVDS wire format, against the reference implementation")
struct MVDSWireVectors {
    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test("every message has the reference's bytes and id, both ways")
    func messages() throws {
        let file = try Vectors.load("mvds-vectors.json", as: MVDSVectorFile.self)
        #expect(!file.messages.isEmpty)
        for vector in file.messages {
            let message = vector.message
            #expect(hex(message.encoded) == vector.wire, "\(vector.name)")
            #expect(message.id(using: SwiftCryptography()).description == vector.id, "\(vector.name)")
            let decoded = try Message(decoding: Vectors.bytes(vector.wire)[...])
            #expect(decoded == message, "\(vector.name)")
        }
    }

    @Test("every payload decodes to its parts and encodes to the same bytes")
    func payloads() throws {
        let file = try Vectors.load("mvds-vectors.json", as: MVDSVectorFile.self)
        #expect(!file.payloads.isEmpty)
        for vector in file.payloads {
            let payload = try Payload(decoding: Vectors.bytes(vector.wire)[...])
            #expect(payload.acks.map(hex) == vector.acks, "\(vector.name)")
            #expect(payload.offers.map(hex) == vector.offers, "\(vector.name)")
            #expect(payload.requests.map(hex) == vector.requests, "\(vector.name)")
            #expect(
                payload.messages.map { $0.id(using: SwiftCryptography()).description } == vector.message_ids,
                "\(vector.name)")
            #expect(payload.groupOffers.map { hex($0.groupID) } == vector.group_offers.map(\.group_id))
            #expect(payload.groupOffers.map { $0.messageIDs.map(hex) } == vector.group_offers.map(\.message_ids))
            #expect(hex(payload.encoded) == vector.wire, "\(vector.name)")
        }
    }

    @Test("what the reference accepts is accepted and written back alike; what it refuses is refused")
    func decoding() throws {
        let file = try Vectors.load("mvds-vectors.json", as: MVDSVectorFile.self)
        #expect(!file.decode.isEmpty)
        for vector in file.decode {
            let bytes = Vectors.bytes(vector.in)[...]
            guard vector.ok else {
                #expect(throws: WireError.self, "\(vector.name)") { try Payload(decoding: bytes) }
                continue
            }
            let payload = try Payload(decoding: bytes)
            #expect(payload.acks.map(hex) == vector.acks ?? [], "\(vector.name)")
            #expect(payload.offers.map(hex) == vector.offers ?? [], "\(vector.name)")
            #expect(payload.requests.map(hex) == vector.requests ?? [], "\(vector.name)")
            let messages = vector.messages ?? []
            #expect(payload.messages.map { hex($0.groupID) } == messages.map(\.group_id), "\(vector.name)")
            #expect(payload.messages.map(\.timestamp) == messages.map(\.timestamp), "\(vector.name)")
            #expect(payload.messages.map { hex($0.body) } == messages.map(\.body), "\(vector.name)")
            #expect(
                payload.messages.map { $0.id(using: SwiftCryptography()).description } == messages.map(\.id),
                "\(vector.name)")
            #expect(hex(payload.encoded) == vector.reencoded ?? "", "\(vector.name)")
        }
    }
}
