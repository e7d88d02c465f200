/// A native event: its header, with content, salt and signature beside it (protocol 2-1, 2-2).
public struct Event: Hashable, Sendable {
    /// The storage that all copies share: an event is copied often on its way into the store.
    private final class Storage: Sendable {
        let id: EventID
        let timestamp: Int64
        let header: EventHeader
        let headerBytes: Bytes
        let content: Bytes?
        let salt: Bytes?
        let signature: Bytes?

        init(
            _ id: EventID, _ timestamp: Int64, _ header: EventHeader, _ headerBytes: Bytes, _ content: Bytes?,
            _ salt: Bytes?, _ signature: Bytes?
        ) {
            self.id = id
            self.timestamp = timestamp
            self.header = header
            self.headerBytes = headerBytes
            self.content = content
            self.salt = salt
            self.signature = signature
        }
    }

    private var storage: Storage

    public init(
        id: EventID, timestamp: Int64, header: EventHeader, headerBytes: Bytes, content: Bytes?, salt: Bytes?,
        signature: Bytes?
    ) {
        storage = Storage(id, timestamp, header, headerBytes, content, salt, signature)
    }

    public var id: EventID { storage.id }
    /// The time of the author's clock, in milliseconds since 1970.
    public var timestamp: Int64 { storage.timestamp }
    public var header: EventHeader { storage.header }
    /// The header's bytes, as the id covers them.
    public var headerBytes: Bytes { storage.headerBytes }
    /// The content as it is sent; nil once it is erased.
    public var content: Bytes? { storage.content }
    /// 16 bytes if the header says that the event is salted, else nil. The salt is erased with the content.
    public var salt: Bytes? { storage.salt }
    /// The signature, if one was sent. In a run the last event's signature authenticates the events before it.
    public var signature: Bytes? { storage.signature }

    /// The same event without its content and salt.
    package var erased: Event { with(nil, salt: nil) }

    /// The same event with this content and salt, or without them. They must match the header's commitment.
    package func with(_ content: Bytes?, salt: Bytes?) -> Event {
        Event(
            id: id, timestamp: timestamp, header: header, headerBytes: headerBytes, content: content, salt: salt,
            signature: signature)
    }

    /// The time at which the content is to be erased, in milliseconds since 1970; nil for never.
    package var expiryToCome: UInt64? { header.isErasable ? header.expiry : nil }

    /// The same event with another signature, or without one.
    package func signed(with signature: Bytes?) -> Event {
        Event(
            id: id, timestamp: timestamp, header: header, headerBytes: headerBytes, content: content, salt: salt,
            signature: signature)
    }

    // The fields that are read most often, without a copy of the header.
    package var log: LogID { storage.header.log }
    package var sequence: UInt64 { storage.header.sequence }
    package var lamport: UInt64 { storage.header.lamport }
    package var kind: EventKind { storage.header.kind }

    public static func == (lhs: Event, rhs: Event) -> Bool {
        lhs.storage === rhs.storage
            || (lhs.id == rhs.id && lhs.timestamp == rhs.timestamp && lhs.headerBytes == rhs.headerBytes
                && lhs.content == rhs.content && lhs.salt == rhs.salt && lhs.signature == rhs.signature)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// The bytes that are hashed or signed, built in one buffer that is used again for a whole batch.
package struct EventHashing: Sendable {
    package let group: GroupID
    private var scratch: [UInt8] = []

    package init(group: GroupID) { self.group = group }

    /// The event's id (protocol 1-3).
    package mutating func id(
        timestamp: Int64, header: Bytes, using cryptography: some Cryptography
    ) -> EventID {
        fill(Message.idPrefix, timestamp, header)
        return EventID(cryptography.sha256(scratch))
    }

    package mutating func isValid(
        _ signature: Bytes, timestamp: Int64, header: Bytes, key: Bytes32, using cryptography: some Cryptography
    ) -> Bool {
        fill(eventSignaturePrefix, timestamp, header)
        return cryptography.isValid(signature, over: scratch, by: key)
    }

    package mutating func sign<Crypto: Cryptography>(
        timestamp: Int64, header: Bytes, with key: Crypto.SigningKey, using cryptography: Crypto
    ) -> [UInt8] {
        fill(eventSignaturePrefix, timestamp, header)
        return cryptography.sign(scratch, with: key)
    }

    /// The hash that commits to a content: SHA-256(salt ‖ content).
    package mutating func commitment(
        salt: Bytes, content: Bytes, using cryptography: some Cryptography
    ) -> Bytes32 {
        scratch.removeAll(keepingCapacity: true)
        scratch += salt
        scratch += content
        return cryptography.sha256(scratch)
    }

    private mutating func fill(_ prefix: [UInt8], _ timestamp: Int64, _ header: Bytes) {
        scratch.removeAll(keepingCapacity: true)
        scratch += prefix
        scratch.append(group)
        scratch.append(fixed64: UInt64(bitPattern: timestamp))
        scratch += header
    }
}

private let eventSignaturePrefix = Array("tombolo-event-1".utf8)

extension Event {
    /// Validates a received event by the rules that need no other event (protocol 2.4-1).
    ///
    /// - Throws: ``EventError`` if the group, the timestamp, the header, the salt or the commitment is wrong.
    package init(
        checking message: Message, hashing: inout EventHashing, using cryptography: some Cryptography
    ) throws(EventError) {
        guard message.groupID.elementsEqual(hashing.group.bytes) else { throw .invalid("it belongs to another group") }
        let header = try EventHeader(decoding: message.body)
        guard message.signature?.count ?? 64 == 64 else { throw .invalid("a signature is not 64 bytes long") }
        self.init(
            id: hashing.id(timestamp: message.timestamp, header: message.body, using: cryptography),
            timestamp: message.timestamp,
            header: header, headerBytes: message.body, content: message.content, salt: message.salt,
            signature: message.signature)
        try checkContent(hashing: &hashing, using: cryptography)
    }

    package func checkContent(
        hashing: inout EventHashing, using cryptography: some Cryptography
    ) throws(EventError) {
        guard timestamp >= 0, timestamp < Int64(Limits.integer) else { throw .invalid("the timestamp is out of range") }
        guard let content else {
            guard header.isErasable, salt == nil else { throw .invalid("the content is missing") }
            return
        }
        guard content.count == header.contentLength else {
            throw .invalid("the content's length differs from the header's")
        }
        guard (salt != nil) == header.isSalted, salt?.count ?? 16 == 16 else {
            throw .invalid("the salt does not fit the header")
        }
        guard hashing.commitment(salt: salt ?? [], content: content, using: cryptography) == header.commitment else {
            throw .invalid("the content does not match the header's commitment")
        }
    }

    /// The event in plain form, as a `Message`.
    package func message(in group: GroupID) -> Message {
        Message(
            groupID: group.bytes[...], timestamp: timestamp, body: headerBytes, content: content,
            signature: signature, salt: salt)
    }
}

extension Event {
    /// The reference by which another event names this one.
    public var reference: EventReference {
        EventReference(id: id, log: header.log, sequence: header.sequence, lamport: header.lamport)
    }
}
