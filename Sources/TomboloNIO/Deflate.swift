import CZlib

/// Raw deflate (RFC 1951) of one payload at a time, by zlib.
enum Deflate {
    /// Payloads below this are not worth it.
    static let shortest = 128

    /// The deflated bytes, or nil if they are not shorter.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count >= shortest else { return nil }
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytes.count - 1)
        let status = run(&stream, &input, &output) { deflate(&$0, Z_FINISH) }
        guard status == Z_STREAM_END else { return nil }
        output.removeLast(output.count - Int(stream.total_out))
        return output
    }

    /// The inflated bytes, or nil if they are not a deflate stream or more than `limit`.
    static func decompress(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
        var stream = z_stream()
        guard inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { inflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: limit)
        let status = run(&stream, &input, &output) { inflate(&$0, Z_FINISH) }
        guard status == Z_STREAM_END, stream.avail_in == 0 else { return nil }
        output.removeLast(output.count - Int(stream.total_out))
        return output
    }

    private static func run(
        _ stream: inout z_stream, _ input: inout [UInt8], _ output: inout [UInt8], _ body: (inout z_stream) -> Int32
    ) -> Int32 {
        input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return body(&stream)
            }
        }
    }
}
