import CZlib
import Model

/// zlib's deflate without a frame of its own, behind the number of bytes that come out of it. Short matches are left to the codes of single
/// bytes (`Z_FILTERED`): numbers of sensors hold many, by chance, and they cost more than they save.
enum Deflate {
    /// `nil` where zlib has no memory.
    static func squeezed(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        let begun = deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL - 1, Z_FILTERED, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard begun == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        let (output, result) = run(&stream, bytes[...], room: bound, deflate)
        guard result == Z_STREAM_END else { return nil }
        var squeezed: [UInt8] = []
        squeezed.append(varint: UInt64(bytes.count))
        return squeezed + output
    }

    /// - Parameter limit: Bytes that may come out of it.
    static func unsqueezed(_ reader: ByteReader, limit: Int) throws(FormatError) -> [UInt8] {
        var reader = reader
        let count = try reader.count(limit: limit, "length of squeezed bytes")
        var stream = z_stream()
        guard inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .invalid("squeezed bytes: no memory")
        }
        defer { inflateEnd(&stream) }
        let (output, result) = run(&stream, reader.bytes[reader.position..<reader.end], room: count, inflate)
        guard result == Z_STREAM_END, output.count == count else { throw .invalid("squeezed bytes") }
        return output
    }

    private static func run(
        _ stream: inout z_stream, _ input: ArraySlice<UInt8>, room: Int,
        _ step: (UnsafeMutablePointer<z_stream>, Int32) -> Int32
    ) -> (output: [UInt8], result: Int32) {
        var result: Int32 = Z_OK
        let output = [UInt8](unsafeUninitializedCapacity: max(room, 1)) { buffer, count in
            input.withUnsafeBufferPointer { source in
                // zlib reads from it only.
                stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.avail_in = UInt32(source.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(buffer.count)
                result = step(&stream, Z_FINISH)
            }
            count = buffer.count - Int(stream.avail_out)
        }
        return (output, result)
    }
}
