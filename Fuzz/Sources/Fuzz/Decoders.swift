import SetReconciliation
import TomboloCore
import TomboloCrypto

/// Checks that every value that decodes can be encoded, and that the encoding decodes to the same value.
func decoders(_ bytes: [UInt8]) -> CInt {
    if let payload = try? Payload(decoding: bytes[...]) {
        let again = try? Payload(decoding: payload.encoded[...])
        precondition(again == payload, "a payload changed when it was encoded and decoded")
    }
    if let message = try? Message(decoding: bytes[...]) {
        let again = try? Message(decoding: message.encoded[...])
        precondition(again == message, "a message changed when it was encoded and decoded")
    }
    if let header = try? EventHeader(decoding: bytes[...]) {
        precondition(header.encoded == bytes, "a header has two encodings")
    }
    if let certificate = try? Certificate(decoding: bytes[...]) {
        precondition(certificate.encoded == bytes, "a certificate has two encodings")
    }
    if let removal = try? DeviceRemoval(decoding: bytes[...]) {
        precondition(removal.encoded == bytes, "the removal of a device has two encodings")
    }
    _ = try? GroupStatement(decoding: bytes[...])
    _ = try? Invitation(decoding: bytes[...])
    return 0
}

private let items = SortedItems(
    (0..<300).map { number in
        let bytes = SwiftCryptography().sha256Bytes(Array("\(number)".utf8))
        guard let id = ItemID(bytes) else { preconditionFailure("SHA-256 has 32 bytes") }
        return RangeItem(timestamp: UInt64(number / 3), id: id)
    })

private let logs = Dictionary(uniqueKeysWithValues: (1...200 as ClosedRange<UInt64>).map { ($0 * 7_919, $0) })

/// Runs all parts of set reconciliation that read input of the other side, in both roles.
func ranges(_ bytes: [UInt8]) -> CInt {
    for limit in [0, 4_096] {
        var initiator = RangeReconciler(items, frameLimit: limit, sha256: { SwiftCryptography().sha256Bytes($0) })
        _ = try? initiator.initiate()
        if let step = try? initiator.reconcile(bytes), limit > 0 {
            precondition(step.reply?.count ?? 0 <= limit, "a message above its limit")
        }
        var responder = RangeReconciler(items, frameLimit: limit, sha256: { SwiftCryptography().sha256Bytes($0) })
        if let step = try? responder.reconcile(bytes), limit > 0 {
            precondition(step.reply?.count ?? 0 <= limit, "a message above its limit")
        }
    }
    for begins in [true, false] {
        var adaptive = AdaptiveReconciler(
            items, key: SipHashKey(1, 2), options: AdaptiveOptions(isKnownToDiffer: true, mostCells: 256),
            sha256: { SwiftCryptography().sha256Bytes($0) })
        if begins { _ = try? adaptive.initiate() }
        _ = try? adaptive.reconcile(bytes)
    }
    if let query = try? BloomQuery(bytes: bytes) { _ = try? query.missing(in: items, limit: 10) }
    _ = ExactSketch(bytes: bytes, limit: 8)?.decoded()
    _ = try? RangePage(bytes: bytes)
    var map = MapDecoder(logs, hashKey: SipHashKey(3, 4))
    let own = MapSketch(of: logs, count: 64, hashKey: SipHashKey(3, 4))
    for (index, cell) in own.cells.enumerated() {
        let start = CodedEntries.byteCount * index
        guard start + CodedEntries.byteCount <= bytes.count,
            let theirs = try? CodedEntries(bytes[start..<start + CodedEntries.byteCount]),
            (try? map.append(theirs, cell)) != nil
        else { break }
    }
    _ = map.estimatedDifference
    _ = try? own.estimatedDifference(fromHint: bytes)
    return 0
}

extension SwiftCryptography {
    func sha256Bytes(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { sha256($0) }.bytes }
}
