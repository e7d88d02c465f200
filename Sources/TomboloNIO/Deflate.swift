import Synchronization

/// Raw deflate (RFC 1951) of one payload at a time: libdeflate on Linux, the system's zlib elsewhere (decision 0007).
enum Deflate {
    /// Payloads below this are not worth it.
    static let shortest = 128

    /// Coders that nobody uses at the moment: as many as threads once needed at the same time.
    private static let idle = Mutex<[DeflateCoder]>([])

    /// The deflated bytes, or nil if they are not shorter.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count >= shortest else { return nil }
        return withCoder { coder in
            bytes.withUnsafeBytes { input in
                output(atMost: bytes.count - 1) { coder.compress(input, into: $0) }
            }
        }
    }

    /// The inflated bytes, or nil if they are not a deflate stream or more than `limit`.
    static func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        withCoder { coder in output(atMost: limit) { coder.decompress(bytes, into: $0) } }
    }

    private static func withCoder(_ body: (DeflateCoder) -> [UInt8]?) -> [UInt8]? {
        guard let coder = idle.withLock({ $0.popLast() }) ?? DeflateCoder() else { return nil }
        defer { idle.withLock { $0.append(coder) } }
        return body(coder)
    }

    /// - Parameter fill: writes, and says how many bytes; nil for failure.
    private static func output(atMost limit: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int?) -> [UInt8]? {
        var isFilled = false
        let result = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            guard let written = fill(UnsafeMutableRawBufferPointer(buffer)) else { return }
            (count, isFilled) = (written, true)
        }
        return isFilled ? result : nil
    }
}
