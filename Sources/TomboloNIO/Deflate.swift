import NIOCore

/// Raw deflate (RFC 1951) of single payloads, by libdeflate on Linux and by the system's zlib elsewhere (decision
/// 0007).
struct Deflate {
    /// The length of a payload below which compression is not worthwhile.
    static let shortest = 128

    /// The coder, created on first use: most connections that strangers open never need it.
    private var made: DeflateCoder?

    private mutating func coder() -> DeflateCoder? {
        if made == nil { made = DeflateCoder() }
        return made
    }

    /// Writes the deflated bytes if they are shorter than the payload.
    ///
    /// - Returns: the number of bytes written; 0 if none.
    mutating func compress(_ bytes: [UInt8], into buffer: inout ByteBuffer) -> Int {
        guard bytes.count >= Self.shortest, let coder = coder() else { return 0 }
        return bytes.withUnsafeBytes { input in
            guard input.count < 4 * Self.sample || Self.getsShorter(input, coder) else { return 0 }
            return buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count) { output in
                coder.compress(input, into: UnsafeMutableRawBufferPointer(rebasing: output[..<(bytes.count - 1)])) ?? 0
            }
        }
    }

    private static let sample = 4_096

    /// Tells whether a sample from the middle of a long payload gets shorter. Sealed or compressed bytes do not.
    private static func getsShorter(_ bytes: UnsafeRawBufferPointer, _ coder: DeflateCoder) -> Bool {
        let part = UnsafeRawBufferPointer(rebasing: bytes[(bytes.count / 2)...].prefix(sample))
        return withUnsafeTemporaryAllocation(byteCount: sample - sample / 64, alignment: 1) { output in
            coder.compress(part, into: output) != nil
        }
    }

    /// The inflated bytes; nil if `bytes` are not a deflate stream, or inflate to more than `limit`.
    mutating func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        guard let coder = coder() else { return nil }
        var isSound = false
        let result = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            guard let written = coder.decompress(bytes, into: UnsafeMutableRawBufferPointer(buffer)) else { return }
            (count, isSound) = (written, true)
        }
        guard isSound, !result.isEmpty else { return nil }
        // A receiver may keep a slice, which keeps the whole buffer alive. Copying a short result frees the room for
        // the largest payload.
        return result.count < limit / 2 ? Array(result[...]) : result
    }
}
