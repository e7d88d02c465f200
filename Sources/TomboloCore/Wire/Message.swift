/// An event in plain form: Vac RFC 2/MVDS with RFC 4/MVDS-META and three fields of Tombolo's (protocol 1-1).
public struct Message: Hashable, Sendable {
    /// The group's id: 32 bytes in every message that is accepted; any number on the wire.
    public var groupID: Bytes
    /// The author's clock since 1970: in seconds in the mvds dialect, in milliseconds in the native one.
    public var timestamp: Int64
    /// The application's bytes in the mvds dialect, the header in the native one.
    public var body: Bytes
    public var metadata: Metadata?
    public var content: Bytes?
    public var signature: Bytes?
    public var salt: Bytes?
    /// Unknown fields as they came. They are written back last.
    public var unknownFields: [UInt8]

    public init(
        groupID: Bytes, timestamp: Int64, body: Bytes, metadata: Metadata? = nil, content: Bytes? = nil,
        signature: Bytes? = nil, salt: Bytes? = nil, unknownFields: [UInt8] = []
    ) {
        self.groupID = groupID
        self.timestamp = timestamp
        self.body = body
        self.metadata = metadata
        self.content = content
        self.signature = signature
        self.salt = salt
        self.unknownFields = unknownFields
    }

    /// The metadata of RFC 4/MVDS-META: a message's parents, and whether it is ephemeral. The id does not cover them.
    public struct Metadata: Hashable, Sendable {
        public var parents: [Bytes]
        public var isEphemeral: Bool
        public var unknownFields: [UInt8]

        public init(parents: [Bytes] = [], isEphemeral: Bool = false, unknownFields: [UInt8] = []) {
            self.parents = parents
            self.isEphemeral = isEphemeral
            self.unknownFields = unknownFields
        }
    }
}

extension Message {
    /// Decodes a serialized `Message`.
    public init(decoding bytes: Bytes) throws(WireError) {
        self.init(groupID: [], timestamp: 0, body: [])
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (6001, .bytes(let run)): groupID = run
            case (6002, .varint(let raw)): timestamp = Int64(bitPattern: raw)
            case (6003, .bytes(let run)): body = run
            case (6004, .bytes(let run)):
                // Decoded in place: a copy for each part would make the time grow with the square of their number.
                if metadata == nil { metadata = Metadata() }
                try metadata?.merge(run)
            case (6101, .bytes(let run)): content = run
            case (6102, .bytes(let run)): signature = run
            case (6103, .bytes(let run)): salt = run
            default: unknownFields += reader.lastField
            }
        }
    }

    /// Appends the serialized message.
    public func encode(into buffer: inout [UInt8]) {
        if !groupID.isEmpty { buffer.append(field: 6001, bytes: groupID) }
        if timestamp != 0 { buffer.append(field: 6002, varint: UInt64(bitPattern: timestamp)) }
        if !body.isEmpty { buffer.append(field: 6003, bytes: body) }
        if let metadata { buffer.append(field: 6004, bytes: metadata.encoded) }
        if let content { buffer.append(field: 6101, bytes: content) }
        if let signature { buffer.append(field: 6102, bytes: signature) }
        if let salt { buffer.append(field: 6103, bytes: salt) }
        buffer += unknownFields
    }

    /// The serialized message.
    public var encoded: [UInt8] {
        var buffer: [UInt8] = []
        encode(into: &buffer)
        return buffer
    }

    /// The event's id: SHA-256("MESSAGE_ID" ‖ group_id ‖ timestamp ‖ body) (protocol 1-3).
    public func id(using cryptography: some Cryptography) -> EventID {
        var preimage = Self.idPrefix
        preimage.reserveCapacity(64 + body.count)
        preimage += groupID
        preimage.append(fixed64: UInt64(bitPattern: timestamp))
        preimage += body
        return EventID(cryptography.sha256(preimage))
    }

    /// The bytes that the message counts for, at least as many as on the wire (protocol 1-14).
    package var size: Int {
        let beside = (content?.count ?? 0) + (signature?.count ?? 0) + (salt?.count ?? 0) + unknownFields.count
        let parents = metadata?.parents.reduce(0) { $0 + $1.count + 8 } ?? 0
        return body.count + groupID.count + beside + parents + (metadata?.unknownFields.count ?? 0) + 96
    }

    package static let idPrefix = Array("MESSAGE_ID".utf8)
}

extension Message.Metadata {
    mutating func merge(_ bytes: Bytes) throws(WireError) {
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (1, .bytes(let run)): parents.append(run)
            case (2, .varint(let raw)): isEphemeral = raw != 0
            default: unknownFields += reader.lastField
            }
        }
    }

    package var encoded: [UInt8] {
        var buffer: [UInt8] = []
        for parent in parents { buffer.append(field: 1, bytes: parent) }
        if isEphemeral { buffer.append(field: 2, varint: 1) }
        return buffer + unknownFields
    }
}
