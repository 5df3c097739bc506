/// Why stored bytes could not be understood. Decoding arbitrary bytes ends in a value or in this, never in a trap.
@usableFromInline package enum FormatError: Error, Hashable, Sendable {
    /// The bytes end before the value does.
    case truncated
    /// A field has a value that no writer gives it; names the field.
    case invalid(String)
}

/// Reads little-endian integers, variable-length integers and text out of a part of an array.
///
/// Usable from inlined code, like the other words here that are used for every reading: only then do the bodies of a type's members cross
/// the border of their module. Without it every one of them is a call, and a generic one looks its types up at run time.
@usableFromInline package struct ByteReader: Sendable {
    /// What is read, and more on both sides of it.
    @usableFromInline package let bytes: [UInt8]
    @usableFromInline package internal(set) var position: Int
    @usableFromInline package let end: Int

    /// The range is cut to what the array holds.
    @inlinable package init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        end = min(max(range.upperBound, 0), bytes.count)
        position = min(max(range.lowerBound, 0), end)
    }

    @inlinable package var isAtEnd: Bool { position >= end }

    @inlinable package mutating func byte() throws(FormatError) -> UInt8 {
        guard position < end else { throw .truncated }
        defer { position += 1 }
        return bytes[position]
    }

    /// Up to 10 bytes, low groups first.
    @inlinable package mutating func varint() throws(FormatError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end {
            let byte = bytes[position]
            position += 1
            if shift == 63, byte > 1 { throw .invalid("integer beyond 64 bits") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
            if shift > 63 { throw .invalid("integer beyond 64 bits") }
        }
        throw .truncated
    }

    /// A signed integer whose small magnitudes are short.
    @inlinable package mutating func signed() throws(FormatError) -> Int64 { try varint().unzigzagged }

    /// A variable-length integer of at most `limit`.
    @inlinable package mutating func count(limit: Int, _ field: String) throws(FormatError) -> Int {
        let value = try varint()
        guard value <= UInt64(limit) else { throw .invalid(field) }
        return Int(value)
    }

    @inlinable @inline(__always) package mutating func fixed<Number: FixedWidthInteger & UnsignedInteger>(
        _: Number.Type
    ) throws(FormatError) -> Number {
        let width = Number.bitWidth / 8
        guard end - position >= width else { throw .truncated }
        var value: Number = 0
        for index in stride(from: width - 1, through: 0, by: -1) {
            value = value << 8 | Number(bytes[position + index])
        }
        position += width
        return value
    }

    @inlinable package mutating func blob(limit: Int, _ field: String) throws(FormatError) -> [UInt8] {
        let count = try count(limit: limit, field)
        guard end - position >= count else { throw .truncated }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    @inlinable package mutating func text(limit: Int, _ field: String) throws(FormatError) -> String {
        let count = try count(limit: limit, field)
        guard end - position >= count else { throw .truncated }
        defer { position += count }
        guard let text = try? UTF8Span(validating: bytes.span.extracting(position..<position + count)) else {
            throw .invalid(field)
        }
        return String(copying: text)
    }

    /// A part of `count` bytes with a reader of its own.
    @inlinable package mutating func part(_ count: Int) throws(FormatError) -> ByteReader {
        guard count <= end - position else { throw .truncated }
        defer { position += count }
        return ByteReader(bytes, position..<position + count)
    }
}

extension String {
    /// FNV-1a of 64 bits over the UTF-8: the same on every gateway and in every process, unlike `hashValue`. Not for secrets.
    package var stableHash: UInt64 {
        utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}

extension UInt64 {
    @inlinable package var unzigzagged: Int64 { Int64(bitPattern: self >> 1) ^ -Int64(bitPattern: self & 1) }
}

extension Int64 {
    /// 0, -1, 1, -2 … become 0, 1, 2, 3 …
    @inlinable package var zigzagged: UInt64 { UInt64(bitPattern: (self << 1) ^ (self >> 63)) }
}

extension Array where Element == UInt8 {
    @inlinable package mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    @inlinable package mutating func append(signed value: Int64) { append(varint: value.zigzagged) }

    @inlinable package mutating func append(fixed value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    @inlinable package mutating func append(text: String) {
        append(varint: UInt64(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    @inlinable package mutating func append(blob: [UInt8]) {
        append(varint: UInt64(blob.count))
        append(contentsOf: blob)
    }

    /// Overwrites the bytes from `position` on; they must exist.
    @inlinable package mutating func put(fixed value: some FixedWidthInteger & UnsignedInteger, at position: Int) {
        for index in 0..<value.bitWidth / 8 {
            self[position + index] = UInt8(truncatingIfNeeded: value >> (index * 8))
        }
    }
}
