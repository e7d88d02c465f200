import Foundation
import TomboloCore
import TomboloCrypto

/// A writer of a bundle, part by part.
struct BundleWriter {
    private let draft: DraftFile
    private let key: BundleFile.Key
    private var part: [UInt8] = []
    private var number: UInt64 = 0
    /// The size of the file so far.
    private(set) var bytes = 0

    /// - Throws: ``TomboloError`` if the file exists already or cannot be written.
    init(at url: URL, of group: GroupRecord) throws {
        var generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
        let nonce = Bytes32.random(using: &generator).bytes
        draft = try DraftFile(for: url, isPrivate: true)
        key = BundleFile.Key(group.id, discovery: group.discovery, nonce: nonce)
        try write(BundleFile.magic + nonce + key.tag)
    }

    /// Adds records that must be in one part.
    ///
    /// - Parameter isBehind: true if a reader must have processed all earlier records first.
    mutating func append(_ records: [BundleFile.Record], behind isBehind: Bool = false) throws {
        if isBehind, !part.isEmpty { try flush(isLast: false) }
        for record in records { record.append(to: &part) }
        if part.count >= BundleFile.fullPart { try flush(isLast: false) }
    }

    /// Moves the bundle to its final place.
    mutating func finish() throws {
        try flush(isLast: true)
        try draft.keep()
    }

    private mutating func flush(isLast: Bool) throws {
        let sealed = key.seal(part, number: number, isLast: isLast)
        var length: [UInt8] = []
        length.append(fixed32: UInt32(sealed.count))
        try write(length + sealed)
        number += 1
        part.removeAll(keepingCapacity: true)
    }

    private mutating func write(_ data: [UInt8]) throws {
        try draft.write(Data(data))
        bytes += data.count
    }
}
