import Foundation
import Tombolo
public import TomboloCore
import TomboloCrypto

/// Makes a group's events from a conversation that was held elsewhere. Each author becomes a device with a log of its
/// own.
///
/// The keys of these devices are lost with the builder, so their logs end with the import.
public struct ConversationBuilder: Sendable {
    private struct Author {
        let key: SwiftCryptography.SigningKey
        let log: LogID
        let certificate: Certificate
        var latest: EventReference?
    }

    private let group: GroupID
    private let cryptography = SwiftCryptography()
    private var hashing: EventHashing
    private var authors: [String: Author] = [:]
    private var events: [String: EventReference] = [:]

    public init(group: GroupID) {
        self.group = group
        hashing = EventHashing(group: group)
    }

    /// The signed event for one line of the conversation.
    ///
    /// - Parameters:
    ///   - id: the line's id in the conversation; any text that no other line has.
    ///   - parents: the ids of the lines that it answers, at most 16; each must have been added before.
    ///   - name: the author's name. Each author has a log.
    ///   - time: milliseconds since 1970.
    ///   - text: the line.
    /// - Throws: `TomboloError` `invalidArgument` if a parent is missing or an id repeated, `contentTooLarge`.
    public mutating func add(
        id: String, parents: [String], author name: String, time: Int64, text: String
    ) throws -> Message {
        guard events[id] == nil else { throw TomboloError(.invalidArgument, "event \(id) occurs twice") }
        var author = authors[name] ?? newAuthor()
        var references: [EventReference] = []
        for parent in parents {
            guard let known = events[parent] else {
                throw TomboloError(.invalidArgument, "its parent \(parent) does not come before it")
            }
            if known.log != author.log, !references.contains(known) { references.append(known) }
        }
        guard references.count <= Limits.references else {
            throw TomboloError(.invalidArgument, "it has more than \(Limits.references) parents")
        }
        let said = Said(author: author.latest == nil ? name : "", text: text)
        let content = try ContentEnvelope.seal(said, naming: nil)
        guard content.count <= Limits.content else {
            throw TomboloError(.contentTooLarge, "its text is longer than \(Limits.content) bytes")
        }
        let salt = (0..<16).map { _ in UInt8.random(in: 0...255) }
        let header = EventHeader(
            kind: .message, isSalted: true, log: author.log, sequence: (author.latest?.sequence ?? 0) + 1,
            previous: author.latest.map { Backlink(id: $0.id, lamport: $0.lamport) }, parents: references.sorted(),
            contentLength: content.count,
            commitment: hashing.commitment(
                salt: salt[...], content: content[...], using: cryptography),
            extensions: author.latest == nil ? author.certificate.headerExtension[...] : [])
        let bytes = header.encoded[...]
        let timestamp = max(0, min(time, Int64(Limits.integer) - 1))
        let reference = EventReference(
            id: hashing.id(timestamp: timestamp, header: bytes, using: cryptography), log: author.log,
            sequence: header.sequence,
            lamport: header.lamport)
        author.latest = reference
        authors[name] = author
        events[id] = reference
        return Message(
            groupID: group.bytes[...], timestamp: timestamp, body: bytes, content: content[...],
            signature: hashing.sign(timestamp: timestamp, header: bytes, with: author.key, using: cryptography)[...],
            salt: salt[...])
    }

    private func newAuthor() -> Author {
        func seed() -> Bytes32 { Bytes32((0..<32).map { _ in UInt8.random(in: 0...255) }) ?? .zero }
        let member = cryptography.signingKey(seed: seed())
        let device = cryptography.signingKey(seed: seed())
        let key = cryptography.signingKey(seed: seed())
        let memberKey = MemberKey(cryptography.publicKey(of: member))
        let deviceKey = DeviceKey(cryptography.publicKey(of: device))
        let signature = cryptography.sign(
            DeviceAdmission.statement(member: memberKey, device: deviceKey), with: member)
        let certificate = Certificate(
            ofLogWithKey: key, in: group, member: memberKey,
            admission: DeviceAdmission(of: deviceKey, signature: signature), signedBy: device, using: cryptography)
        return Author(
            key: key, log: certificate.logID(in: group, using: cryptography), certificate: certificate)
    }
}
