package import Model

/// | field | form |
/// |---|---|
/// | number of ranges | varint |
/// | per range: distance from the end of the one before (from 0 for the first) | varint, 1 or more but for the first |
/// | per range: length | varint, 1 or more |
extension OffsetRanges {
    /// No log lives long enough to reach this; sums of two stay far from overflow.
    package static let greatest: UInt64 = 1 << 62

    /// The bytes of at most `limit` ranges; see ``bounded(to:)``. At most 2 + 18 × `limit` bytes.
    package func append(to bytes: inout [UInt8], limit: Int) {
        let kept = bounded(to: limit)
        bytes.append(varint: UInt64(kept.ranges.count))
        var end: UInt64 = 0
        for range in kept.ranges {
            bytes.append(varint: range.lowerBound.rawValue - end)
            bytes.append(varint: range.length)
            end = range.upperBound.rawValue
        }
    }

    /// Reads what ``append(to:limit:)`` wrote; more than `limit` ranges are an error.
    package init(from reader: inout ByteReader, limit: Int) throws(FormatError) {
        let count = try reader.count(limit: limit, "ranges")
        var ranges: [Range<Offset>] = []
        ranges.reserveCapacity(count)
        var end: UInt64 = 0
        for index in 0..<count {
            let gap = try reader.varint()
            let length = try reader.varint()
            guard gap <= Self.greatest, length <= Self.greatest, length > 0, index == 0 || gap > 0,
                end + gap + length <= Self.greatest
            else { throw .invalid("range") }
            ranges.append(Offset(end + gap)..<Offset(end + gap + length))
            end += gap + length
        }
        self.init(unchecked: ranges)
    }
}
