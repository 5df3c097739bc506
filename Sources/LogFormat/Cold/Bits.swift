import Model

/// Takes bits, most significant first.
protocol BitSink {
    /// The lowest `bits` of `value`, 0 to 64; the others are passed over.
    mutating func append(_ value: UInt64, bits: Int)
}

/// Counts what a ``BitWriter`` would write.
struct BitCounter: BitSink {
    private(set) var bits = 0

    @inline(__always)
    mutating func append(_ value: UInt64, bits: Int) { self.bits += bits }
}

struct BitWriter: BitSink {
    private(set) var bytes: [UInt8] = []
    private var open: UInt64 = 0
    private var count = 0

    @inline(__always)
    mutating func append(_ value: UInt64, bits: Int) {
        if bits > 32 {
            put(value >> 32, bits - 32)
            put(value, 32)
        } else {
            put(value, bits)
        }
    }

    @inline(__always)
    private mutating func put(_ value: UInt64, _ bits: Int) {
        open = open << UInt64(bits) | value & (1 << UInt64(bits) - 1)
        count += bits
        while count >= 8 {
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: open >> UInt64(count)))
        }
    }

    /// Fills the last byte up with zeros. Call once, at the end.
    mutating func flush() {
        if count > 0 { put(0, 8 - count) }
    }
}

struct BitReader {
    private let bytes: [UInt8]
    private var position: Int
    private let end: Int
    /// Bits that were taken from the array, the next one on top; zeros below them.
    private var window: UInt64 = 0
    private var count = 0

    init(_ reader: ByteReader) {
        bytes = reader.bytes
        position = reader.position
        end = reader.end
    }

    /// The first byte of which nothing has been read.
    var nextByte: Int { position - count / 8 }

    @inline(__always)
    private mutating func refill() {
        while count <= 56, position < end {
            window |= UInt64(bytes[position]) << UInt64(56 - count)
            position += 1
            count += 8
        }
    }

    @inline(__always)
    private mutating func drop(_ bits: Int) {
        window = bits < 64 ? window << UInt64(bits) : 0
        count -= bits
    }

    /// 0 to 64 bits.
    @inline(__always)
    mutating func read(_ bits: Int) throws(FormatError) -> UInt64 {
        if bits > 32 {
            let high = try take(bits - 32)
            return high << 32 | (try take(32))
        }
        return try take(bits)
    }

    @inline(__always)
    private mutating func take(_ bits: Int) throws(FormatError) -> UInt64 {
        guard bits > 0 else { return 0 }
        if count < bits { refill() }
        guard count >= bits else { throw .truncated }
        let value = window >> UInt64(64 - bits)
        drop(bits)
        return value
    }

    /// Zeros before the next one, which is taken as well; where there are `limit` of them (at most 32), these alone.
    @inline(__always)
    mutating func zeros(limit: Int) throws(FormatError) -> Int {
        if count <= limit { refill() }
        let zeros = min(window.leadingZeroBitCount, limit)
        let taken = zeros < limit ? zeros + 1 : zeros
        guard count >= taken else { throw .truncated }
        drop(taken)
        return zeros
    }
}
