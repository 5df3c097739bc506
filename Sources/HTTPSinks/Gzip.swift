import CZlib

/// One gzip member around `bytes`; `nil` where zlib has no memory.
func gzip(_ bytes: [UInt8]) -> [UInt8]? {
    var stream = z_stream()
    let gzipFormat: Int32 = 15 + 16  // the largest window, in a gzip frame
    let begun = deflateInit2_(
        &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzipFormat, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    guard begun == Z_OK else { return nil }
    defer { deflateEnd(&stream) }
    var input = bytes
    let bound = Int(deflateBound(&stream, UInt(bytes.count)))
    var result: Int32 = Z_OK
    let output = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
        input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = buffer.baseAddress
            stream.avail_out = UInt32(buffer.count)
            result = deflate(&stream, Z_FINISH)
        }
        count = bound - Int(stream.avail_out)
    }
    return result == Z_STREAM_END ? output : nil
}
