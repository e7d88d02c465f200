import NIOCore

/// Raw deflate (RFC 1951) of one payload at a time: libdeflate on Linux, the system's zlib elsewhere (decision 0007).
struct Deflate {
    /// Payloads below this are not worth it.
    static let shortest = 128

    /// Made when it is first needed: most connections that strangers open never do.
    private var made: DeflateCoder?

    private mutating func coder() -> DeflateCoder? {
        if made == nil { made = DeflateCoder() }
        return made
    }

    /// Writes the deflated bytes, if they are shorter.
    ///
    /// - Returns: how many were written; 0 if none.
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

    /// Whether a part from the middle of a long payload gets shorter: what is sealed, or compressed already, does not.
    private static func getsShorter(_ bytes: UnsafeRawBufferPointer, _ coder: DeflateCoder) -> Bool {
        let part = UnsafeRawBufferPointer(rebasing: bytes[(bytes.count / 2)...].prefix(sample))
        return withUnsafeTemporaryAllocation(byteCount: sample - sample / 64, alignment: 1) { output in
            coder.compress(part, into: output) != nil
        }
    }

    /// The inflated bytes, or nil if they are not a deflate stream or more than `limit`.
    mutating func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        guard let coder = coder() else { return nil }
        var isSound = false
        let result = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            guard let written = coder.decompress(bytes, into: UnsafeMutableRawBufferPointer(buffer)) else { return }
            (count, isSound) = (written, true)
        }
        guard isSound, !result.isEmpty else { return nil }
        // What is kept of it keeps all of it: not the room for the largest payload.
        return result.count < limit / 2 ? Array(result[...]) : result
    }
}
