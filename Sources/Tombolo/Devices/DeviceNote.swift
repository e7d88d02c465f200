import Foundation
import TomboloCore

/// A note between a member's devices, in their own group (protocol §5.9).
enum DeviceNote: Equatable {
    /// One of the devices is in this group.
    case group(GroupRecord)
    /// A peer has this address.
    case peer(DeviceKey, address: String)
    /// The last event of each log that was read in a group.
    case read(GroupID, [LogID: UInt64])

    private enum Form: UInt8 { case group, peer, read }

    /// The most bytes of a note. It fits into the content of an event.
    private static let mostBytes = Limits.content - 256

    /// - Parameter cryptography: verifies the group's id and commitment.
    /// - Throws: `WireError` if the bytes are no note, or the parts of a group do not match.
    init(decoding content: Content, using cryptography: some Cryptography) throws(WireError) {
        var reader = WireReader(content.bytes[...])
        switch Form(rawValue: try reader.byte()) {
        case .group:
            let statement = Array(try reader.take(try reader.varint(atMost: 1_024, "a statement")))
            let discovery = try reader.bytes32()
            guard let known = try? GroupStatement(decoding: statement[...]),
                known.discovery == GroupStatement.discoveryCommitment(discovery, using: cryptography)
            else {
                throw .invalid("the group of a note", offset: reader.offset)
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

    /// The contents of the events that carry the note. A long list of read events takes several.
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
