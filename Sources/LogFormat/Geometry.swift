/// How a ring is cut into segments and blocks. A real ring always has ``standard``; tests use smaller ones.
package struct Geometry: Hashable, Sendable {
    /// Bytes of one segment, a multiple of ``unit``.
    package let segmentBytes: Int
    /// Bytes of the largest block, a multiple of ``unit``, at least two of them.
    package let blockBytes: Int

    /// Every position and length in a segment is a multiple of this: the page of the kernel and of most flash.
    package static let unit = 4096
    /// Two copies of the segment header, one unit each.
    package static let headerBytes = 2 * unit
    /// A ring needs one open hot segment, one kept behind it, one open cold segment, two free ones, and some to hold data.
    package static let fewestSegments = 8
    /// The index keeps a segment's number in 16 bits.
    package static let mostSegments = 65_535
    /// A ring made by Covey: 4 MiB segments, 64 KiB blocks.
    package static let standard = Geometry(segmentBytes: 4 << 20, blockBytes: 64 << 10)

    package init(segmentBytes: Int, blockBytes: Int) {
        precondition(
            segmentBytes % Self.unit == 0 && blockBytes % Self.unit == 0 && blockBytes >= 2 * Self.unit
                && segmentBytes >= Self.headerBytes + 2 * blockBytes && segmentBytes <= 65_535 * Self.unit,
            "segments of \(segmentBytes) bytes, blocks of \(blockBytes)")
        self.segmentBytes = segmentBytes
        self.blockBytes = blockBytes
    }

    /// `bytes` rounded up to whole units.
    package static func units(covering bytes: Int) -> Int { (bytes + unit - 1) / unit }

    /// Units of one segment, headers included.
    package var segmentUnits: Int { segmentBytes / Self.unit }
    /// The first unit that may hold a block.
    package static var firstUnit: Int { headerBytes / unit }
}

/// The 16 random bytes that tell one ring from every other; minted when a blank disk gets its first commit.
package struct StoreID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(using generator: inout some RandomNumberGenerator) {
        self.init(high: generator.next(), low: generator.next())
    }

    /// The part that every block carries.
    package var bits: UInt32 { UInt32(truncatingIfNeeded: low) }
}

/// What a segment is for. Raw values are part of the stored format.
package enum SegmentKind: UInt8, Hashable, Sendable {
    /// Takes commits, one block each.
    case hot = 1
    /// Takes merged, dense blocks.
    case cold = 2
}
