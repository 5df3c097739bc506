package import Model

/// What one gateway says that it holds of one log, on its disk. It may say less than it has, never more.
package struct Holdings: Hashable, Sendable {
    /// Durable there; at most ``ReplicatorLimits/ranges`` ranges.
    package var ranges: OffsetRanges
    /// One past the last offset that it knows to have been used.
    package var end: Offset
    /// The log's own gateway says that it will append no more. `end` may still grow, as holders return.
    package var isClosed: Bool
    /// Was there and is not any more: damaged, or evicted for want of space. At most ``ReplicatorLimits/ranges`` ranges.
    package var lost: OffsetRanges
    /// The log's own gateway lets go of everything below.
    package var released: Offset

    /// Sets of more ranges than a claim holds are cut.
    package init(
        ranges: OffsetRanges = OffsetRanges(), end: Offset = .zero, isClosed: Bool = false,
        lost: OffsetRanges = OffsetRanges(), released: Offset = .zero
    ) {
        self.ranges = ranges.bounded(to: ReplicatorLimits.ranges)
        self.end = end
        self.isClosed = isClosed
        self.lost = lost.bounded(to: ReplicatorLimits.ranges)
        self.released = released
    }

    /// Whether ranges may have been cut, so that there may be more than is said.
    var isCut: Bool { ranges.ranges.count >= ReplicatorLimits.ranges }
}

/// | field | form |
/// |---|---|
/// | version | one byte, 1 |
/// | flags | one byte; bit 0: closed. Others are left to later versions |
/// | end, released | varint each |
/// | ranges, lost | see ``OffsetRanges`` |
///
/// What a later version adds behind is passed over.
extension Holdings {
    private static let version: UInt8 = 1

    /// At most 600 bytes.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = [Self.version, isClosed ? 1 : 0]
        bytes.append(varint: end.rawValue)
        bytes.append(varint: released.rawValue)
        ranges.append(to: &bytes, limit: ReplicatorLimits.ranges)
        lost.append(to: &bytes, limit: ReplicatorLimits.ranges)
        return bytes
    }

    package init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard try reader.byte() == Self.version else { throw .invalid("version of a claim") }
        let flags = try reader.byte()
        let end = try reader.offset()
        let released = try reader.offset()
        let ranges = try OffsetRanges(from: &reader, limit: ReplicatorLimits.ranges)
        let lost = try OffsetRanges(from: &reader, limit: ReplicatorLimits.ranges)
        guard ranges.end <= end else { throw .invalid("end of a claim") }
        self.init(ranges: ranges, end: end, isClosed: flags & 1 != 0, lost: lost, released: released)
    }
}

extension ByteReader {
    /// A varint of at most ``OffsetRanges/greatest``.
    mutating func offset() throws(FormatError) -> Offset {
        let value = try varint()
        guard value <= OffsetRanges.greatest else { throw .invalid("offset") }
        return Offset(value)
    }
}
