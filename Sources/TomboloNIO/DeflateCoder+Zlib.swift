#if !canImport(CLibdeflate)
    import CZlib

    /// The coder of zlib, which every Apple platform has. It keeps no state between payloads.
    struct DeflateCoder {
        init?() {}

        /// - Returns: the number of bytes written; nil if `output` has no room.
        func compress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
            var stream = z_stream()
            let size = Int32(MemoryLayout<z_stream>.size)
            guard
                deflateInit2_(
                    &stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
            else { return nil }
            defer { deflateEnd(&stream) }
            prepare(&stream, input, output)
            return deflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : nil
        }

        /// - Returns: the number of bytes written; nil if the input is not one whole stream, or `output` has no room.
        func decompress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
            var stream = z_stream()
            let size = Int32(MemoryLayout<z_stream>.size)
            guard inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, size) == Z_OK else { return nil }
            defer { inflateEnd(&stream) }
            prepare(&stream, input, output)
            return inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0 ? Int(stream.total_out) : nil
        }

        private func prepare(
            _ stream: inout z_stream, _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
        ) {
            stream.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.avail_out = UInt32(output.count)
        }
    }
#endif
