import Foundation
import TomboloCore

/// A note between a member's devices, in the group that is theirs alone (protocol §5.9).
enum DeviceNote: Equatable {
    /// One of them is in this group.
    case group(GroupRecord)
    /// Another device can be reached here.
    case peer(DeviceKey, address: String)
    /// How far a group has been read: for each log, up to which of its events.
    case read(GroupID, [LogID: UInt64])

    private enum Form: UInt8 { case group, peer, read }

    /// Bytes of a content that such a note fits in.
    private static let mostBytes = Limits.content - 256

    /// - Parameter cryptography: what the group's id and commitment are held against.
    /// - Throws: `WireError` if it is none, or what it says of a group does not fit together.
    init(decoding content: Content, using cryptography: some Cryptography) throws(WireError) {
        var reader = WireReader(content.bytes[...])
        switch Form(rawValue: try reader.byte()) {
        case .group:
            let statement = Array(try reader.take(try reader.varint(atMost: 1_024, "a statement")))
            let discovery = try reader.bytes32()
            guard let known = try? GroupStatement(decoding: statement[...]),
                known.discovery == GroupStatement.discoveryCommitment(discovery, using: cryptography)
            else {
                throw .invalid("the secret of a group", offset: reader.offset)
            }
            self = .group(
                GroupRecord(
                    id: GroupStatement.groupID(of: statement, using: cryptography), dialect: .native,
                    statement: statement, discovery: discovery,
                    name: String(decoding: reader.rest().prefix(256), as: UTF8.self)))
        case .peer:
            let device = DeviceKey(try reader.bytes32())
            let address = String(decoding: reader.rest(), as: UTF8.self)
            guard PeerAddress(address) != nil else { throw .invalid("an address", offset: reader.offset) }
            self = .peer(device, address: address)
        case .read:
            let group = GroupID(try reader.bytes32())
            var read: [LogID: UInt64] = [:]
            while !reader.isAtEnd {
                let log = LogID(try reader.bytes32())
                read[log] = max(read[log] ?? 0, try reader.integer())
            }
            self = .read(group, read)
        case nil: throw .invalid("the form of a note", offset: 0)
        }
    }

    /// The contents of events that say it: of what has been read, as many as it takes.
    var contents: [Content] {
        switch self {
        case .group(let record):
            var buffer = [Form.group.rawValue]
            buffer.append(varint: record.statement.count)
            return [Content(bytes: buffer + record.statement + record.discovery.bytes + record.name.utf8.prefix(256))]
        case .peer(let device, let address):
            return [Content(bytes: [Form.peer.rawValue] + device.bytes + address.utf8)]
        case .read(let group, let read):
            let beginning = [Form.read.rawValue] + group.bytes
            var contents = [beginning]
            for (log, sequence) in read.sorted(by: { $0.key < $1.key }) {
                if contents[contents.count - 1].count > Self.mostBytes { contents.append(beginning) }
                contents[contents.count - 1] += log.bytes
                contents[contents.count - 1].append(varint: sequence)
            }
            return contents.map { Content(bytes: $0) }
        }
    }

    /// The content of one event.
    struct Content: EventContent, Equatable {
        static let type = "tombolo.device"
        static let version = 1
        let bytes: [UInt8]

        init(bytes: [UInt8]) { self.bytes = bytes }
        func encodeContent() -> Data { Data(bytes) }
        init(decodingContent data: Data, version: Int) { bytes = Array(data) }
    }
}
