package import TomboloCore
import TomboloCrypto

/// The format of a bundle's file (protocol §6): parts, each encrypted with a key that only the group's devices can
/// make.
package enum BundleFile {
    package static let magic = Array("tombolo-bundle-1".utf8)
    /// Bytes before the first part.
    static let headerBytes = 64
    /// Bytes of records after which a part is closed. Events under one signature stay together, so a part may be
    /// larger.
    static let fullPart = 256 << 10
    /// The most bytes of records that a part may have.
    static let largestPart = 16 << 20

    /// A record of a part.
    enum Record {
        /// The device that has written the bundle.
        case opening(BundleOpening)
        /// The logs of which the writer has every event, each with its last event.
        case known([LogPosition])
        /// An event, as a message.
        case event(Message)
        /// A secret, encrypted to the writer of the bundle that this one answers.
        case secret(CarriedSecret)
        /// The Lamport time up to which the writer does not keep all contents.
        case horizon(UInt64)
        /// The certificate of a log whose beginning is forgotten.
        case certificate(Certificate)
    }

    /// The key that seals a bundle's parts.
    package struct Key {
        private let key: Bytes32
        private let cryptography = SwiftCryptography()
        /// The tag of the group's bundles, which only the group's devices can compute.
        package let tag: [UInt8]

        package init(_ group: GroupID, discovery: Bytes32, nonce: [UInt8]) {
            let bundle = group.bytes + nonce
            key = cryptography.hmac(key: discovery, Array("tombolo-bundle-key-1".utf8) + bundle)
            tag = Array(cryptography.hmac(key: discovery, Array("tombolo-bundle-tag-1".utf8) + bundle).bytes.prefix(16))
        }

        package func seal(_ part: [UInt8], number: UInt64, isLast: Bool) -> [UInt8] {
            cryptography.seal(part[...], key: key, nonce: Self.nonce(number, isLast: isLast)[...])
        }

        package func open(_ part: [UInt8], number: UInt64, isLast: Bool) -> [UInt8]? {
            cryptography.open(part[...], key: key, nonce: Self.nonce(number, isLast: isLast)[...])
        }

        private static func nonce(_ number: UInt64, isLast: Bool) -> [UInt8] {
            var nonce: [UInt8] = []
            nonce.append(fixed64: number)
            nonce.append(fixed32: isLast ? 1 : 0)
            return nonce
        }
    }
}

extension BundleFile.Record {
    private enum Kind: UInt8 { case opening = 1, known, event, secret, horizon, certificate }

    /// u8 kind ‖ varint length ‖ content.
    func append(to part: inout [UInt8]) {
        var body: [UInt8] = []
        let kind: Kind
        switch self {
        case .opening(let opening):
            kind = .opening
            body = opening.encoded
        case .known(let ends):
            kind = .known
            for end in ends {
                body.append(end.log)
                body.append(varint: end.sequence)
                body.append(end.id)
            }
        case .event(let message):
            kind = .event
            body = message.encoded
        case .secret(let secret):
            kind = .secret
            body = secret.encoded
        case .horizon(let lamport):
            kind = .horizon
            body.append(varint: lamport)
        case .certificate(let certificate):
            kind = .certificate
            body = certificate.encoded
        }
        part.append(kind.rawValue)
        part.append(varint: body.count)
        part += body
    }

    /// - Returns: nil if this version does not know the kind of the record.
    init?(reading reader: inout WireReader) throws(WireError) {
        let kind = Kind(rawValue: try reader.byte())
        var body = WireReader(try reader.take(try reader.varint(atMost: BundleFile.largestPart, "a record")))
        switch kind {
        case .opening: self = .opening(try BundleOpening(reading: &body))
        case .known:
            var ends: [LogPosition] = []
            while !body.isAtEnd {
                let log = LogID(try body.bytes32())
                ends.append(LogPosition(log: log, sequence: try body.integer(), id: EventID(try body.bytes32())))
            }
            self = .known(ends)
        case .event: self = .event(try Message(decoding: body.rest()))
        case .secret: self = .secret(try CarriedSecret(decoding: body.rest()))
        case .horizon: self = .horizon(try body.integer())
        case .certificate: self = .certificate(try Certificate(decoding: body.rest()))
        case nil: return nil
        }
    }
}
