#if canImport(CLibdeflate)
    import CLibdeflate

    /// The state of libdeflate. It is twice as fast as zlib in both directions, and its output is shorter.
    final class DeflateCoder {
        private let compressor: OpaquePointer
        private let decompressor: OpaquePointer

        /// Allocates the state; nil without memory.
        init?() {
            guard let compressor = libdeflate_alloc_compressor(1) else { return nil }
            guard let decompressor = libdeflate_alloc_decompressor() else {
                libdeflate_free_compressor(compressor)
                return nil
            }
            self.compressor = compressor
            self.decompressor = decompressor
        }

        deinit {
            libdeflate_free_compressor(compressor)
            libdeflate_free_decompressor(decompressor)
        }

        /// - Returns: the number of bytes written; nil if `output` has no room.
        func compress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
            let count = libdeflate_deflate_compress(
                compressor, input.baseAddress, input.count, output.baseAddress, output.count)
            return count == 0 ? nil : count
        }

        /// - Returns: the number of bytes written; nil if the input is not one whole stream, or `output` has no room.
        func decompress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
            var (read, written) = (0, 0)
            let result = libdeflate_deflate_decompress_ex(
                decompressor, input.baseAddress, input.count, output.baseAddress, output.count, &read, &written)
            return result == LIBDEFLATE_SUCCESS && read == input.count ? written : nil
        }
    }
#endif
