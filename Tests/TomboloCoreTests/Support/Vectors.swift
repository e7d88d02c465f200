import TomboloCore

/// The bytes of the vectors that reference implementations have made.
enum Vectors {
    static func bytes(_ hex: String) -> [UInt8] { bytesFromHexadecimal(hex) ?? [] }
}

struct MVDSVectorFile: Decodable {
    struct Metadata: Decodable {
        let ephemeral: Bool
        let parents: [String]
    }

    struct MessageVector: Decodable {
        let name: String
        let group_id: String
        let timestamp: Int64
        let body: String
        let metadata: Metadata?
        let id: String
        let wire: String

        var message: Message {
            Message(
                groupID: Vectors.bytes(group_id)[...], timestamp: timestamp, body: Vectors.bytes(body)[...],
                metadata: metadata.map {
                    Message.Metadata(parents: $0.parents.map { Vectors.bytes($0)[...] }, isEphemeral: $0.ephemeral)
                })
        }
    }

    struct GroupOfferVector: Decodable {
        let group_id: String
        let message_ids: [String]
    }

    struct PayloadVector: Decodable {
        let name: String
        let acks: [String]
        let offers: [String]
        let requests: [String]
        let group_offers: [GroupOfferVector]
        let message_ids: [String]
        let wire: String
    }

    struct DecodedMessage: Decodable {
        let group_id: String
        let timestamp: Int64
        let body: String
        let id: String
    }

    struct DecodeVector: Decodable {
        let name: String
        let `in`: String
        let ok: Bool
        let acks: [String]?
        let offers: [String]?
        let requests: [String]?
        let messages: [DecodedMessage]?
        let reencoded: String?
    }

    let messages: [MessageVector]
    let payloads: [PayloadVector]
    let decode: [DecodeVector]
}
