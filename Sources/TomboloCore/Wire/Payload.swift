/// The unit that is sent to a peer: records of MVDS, and beside them Tombolo's sessions (protocol 1-1).
public struct Payload: Hashable, Sendable {
    public var acks: [Bytes] = []
    public var offers: [Bytes] = []
    public var requests: [Bytes] = []
    public var messages: [Message] = []
    public var groupOffers: [GroupOffer] = []
    package var hello: Hello?
    package var groups: [GroupSync] = []
    package var join: Join?
    package var welcome: Welcome?
    /// Unknown fields as they came. They are written back last.
    public var unknownFields: [UInt8] = []

    public init() {}

    /// Offers by group, an addition of the MVDS reference implementation. They are decoded, written back and not used
    /// (protocol 1-2).
    public struct GroupOffer: Hashable, Sendable {
        public var groupID: Bytes
        public var messageIDs: [Bytes]
        public var unknownFields: [UInt8]

        public init(groupID: Bytes, messageIDs: [Bytes], unknownFields: [UInt8] = []) {
            self.groupID = groupID
            self.messageIDs = messageIDs
            self.unknownFields = unknownFields
        }
    }

    /// Whether the payload has no fields. An empty payload is never sent.
    public var isEmpty: Bool { self == Payload() }
}

extension Payload {
    /// Whether a serialized payload has a `Join`. Nothing else of it is decoded.
    static func hasJoin(_ bytes: Bytes) -> Bool {
        var reader = ProtobufReader(bytes)
        while let (number, _) = try? reader.next() {
            if number == joinField { return true }
        }
        return false
    }

    private static let joinField: UInt32 = 5103

    /// Decodes a serialized `Payload`.
    ///
    /// - Throws: `WireError` if protocol 1-7 refuses it, or if it has more than ``Limits/payloadFields`` fields.
    public init(decoding bytes: Bytes) throws(WireError) {
        var reader = ProtobufReader(bytes)
        var count = 0
        while let (number, value) = try reader.next() {
            count += 1
            guard count <= Limits.payloadFields else {
                throw .tooLarge("a payload's fields", limit: Limits.payloadFields)
            }
            switch (number, value) {
            case (5001, .bytes(let run)): acks.append(run)
            case (5002, .bytes(let run)): offers.append(run)
            case (5003, .bytes(let run)): requests.append(run)
            case (5004, .bytes(let run)): messages.append(try Message(decoding: run))
            case (5005, .bytes(let run)): groupOffers.append(try GroupOffer(decoding: run))
            case (5101, .bytes(let run)): hello = try Hello(decoding: run)
            case (5102, .bytes(let run)): groups.append(try GroupSync(decoding: run))
            case (Self.joinField, .bytes(let run)): join = try Join(decoding: run)
            case (5104, .bytes(let run)): welcome = try Welcome(decoding: run)
            default: unknownFields += reader.lastField
            }
        }
    }

    /// The serialized payload.
    public var encoded: [UInt8] {
        var buffer: [UInt8] = []
        buffer.reserveCapacity(groups.reduce(unknownFields.count + 64) { $0 + $1.weight })
        for id in acks { buffer.append(field: 5001, bytes: id) }
        for id in offers { buffer.append(field: 5002, bytes: id) }
        for id in requests { buffer.append(field: 5003, bytes: id) }
        var scratch: [UInt8] = []
        for message in messages {
            scratch.removeAll(keepingCapacity: true)
            message.encode(into: &scratch)
            buffer.append(field: 5004, bytes: scratch)
        }
        for offer in groupOffers { buffer.append(field: 5005, bytes: offer.encoded) }
        if let hello { buffer.append(field: 5101, bytes: hello.encoded) }
        for group in groups { buffer.append(field: 5102, bytes: group.encoded) }
        if let join { buffer.append(field: 5103, bytes: join.encoded) }
        if let welcome { buffer.append(field: 5104, bytes: welcome.encoded) }
        buffer += unknownFields
        return buffer
    }
}

extension Payload.GroupOffer {
    init(decoding bytes: Bytes) throws(WireError) {
        self.init(groupID: [], messageIDs: [])
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (1, .bytes(let run)): groupID = run
            case (2, .bytes(let run)): messageIDs.append(run)
            default: unknownFields += reader.lastField
            }
        }
    }

    var encoded: [UInt8] {
        var buffer: [UInt8] = []
        if !groupID.isEmpty { buffer.append(field: 1, bytes: groupID) }
        for id in messageIDs { buffer.append(field: 2, bytes: id) }
        return buffer + unknownFields
    }
}
