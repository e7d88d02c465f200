import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

@Suite("MVDS wire format, against the reference implementation")
struct MVDSWireVectors {
    @Test("every message has the bytes and the id of the reference, both ways")
    func messages() throws {
        let file = try TestVectors.load("mvds-vectors.json", as: MVDSVectorFile.self)
        #expect(!file.messages.isEmpty)
        for vector in file.messages {
            let message = vector.message
            #expect(hexadecimal(message.encoded) == vector.wire, "\(vector.name)")
            #expect(message.id(using: SwiftCryptography()).description == vector.id, "\(vector.name)")
            let decoded = try Message(decoding: Vectors.bytes(vector.wire)[...])
            #expect(decoded == message, "\(vector.name)")
        }
    }

    @Test("every payload decodes to its parts and encodes to the same bytes")
    func payloads() throws {
        let file = try TestVectors.load("mvds-vectors.json", as: MVDSVectorFile.self)
        #expect(!file.payloads.isEmpty)
        for vector in file.payloads {
            let payload = try Payload(decoding: Vectors.bytes(vector.wire)[...])
            #expect(payload.acks.map(hexadecimal) == vector.acks, "\(vector.name)")
            #expect(payload.offers.map(hexadecimal) == vector.offers, "\(vector.name)")
            #expect(payload.requests.map(hexadecimal) == vector.requests, "\(vector.name)")
            #expect(
                payload.messages.map { $0.id(using: SwiftCryptography()).description } == vector.message_ids,
                "\(vector.name)")
            #expect(payload.groupOffers.map { hexadecimal($0.groupID) } == vector.group_offers.map(\.group_id))
            #expect(
                payload.groupOffers.map { $0.messageIDs.map(hexadecimal) } == vector.group_offers.map(\.message_ids))
            #expect(hexadecimal(payload.encoded) == vector.wire, "\(vector.name)")
        }
    }

    @Test("payloads that the reference accepts are accepted and encode alike, and others are refused")
    func decoding() throws {
        let file = try TestVectors.load("mvds-vectors.json", as: MVDSVectorFile.self)
        #expect(!file.decode.isEmpty)
        for vector in file.decode {
            let bytes = Vectors.bytes(vector.in)[...]
            guard vector.ok else {
                #expect(throws: WireError.self, "\(vector.name)") { try Payload(decoding: bytes) }
                continue
            }
            let payload = try Payload(decoding: bytes)
            #expect(payload.acks.map(hexadecimal) == vector.acks ?? [], "\(vector.name)")
            #expect(payload.offers.map(hexadecimal) == vector.offers ?? [], "\(vector.name)")
            #expect(payload.requests.map(hexadecimal) == vector.requests ?? [], "\(vector.name)")
            let messages = vector.messages ?? []
            #expect(payload.messages.map { hexadecimal($0.groupID) } == messages.map(\.group_id), "\(vector.name)")
            #expect(payload.messages.map(\.timestamp) == messages.map(\.timestamp), "\(vector.name)")
            #expect(payload.messages.map { hexadecimal($0.body) } == messages.map(\.body), "\(vector.name)")
            #expect(
                payload.messages.map { $0.id(using: SwiftCryptography()).description } == messages.map(\.id),
                "\(vector.name)")
            #expect(hexadecimal(payload.encoded) == vector.reencoded ?? "", "\(vector.name)")
        }
    }
}
