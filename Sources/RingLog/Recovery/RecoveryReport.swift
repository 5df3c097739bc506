package import Model

/// What opening a ring found, and what it made of it. Nothing here stopped the start.
package struct RecoveryReport: Sendable {
    /// One thing found.
    package enum Finding: Hashable, Sendable {
        /// One copy of the segment header is spoiled; the other serves.
        case headerCopySpoiled(segment: Int)
        /// Both copies are spoiled; the blocks still said what the segment was.
        case headerLost(segment: Int)
        /// Neither header nor blocks can be read.
        case segmentUnreadable(segment: Int)
        /// The segment could not be read from the disk.
        case diskError(segment: Int, message: String)
        /// Written for another place of this ring; it serves from where it is.
        case segmentMoved(segment: Int, from: Int)
        /// A copy of another segment of this ring; left out.
        case segmentCopied(segment: Int, of: Int)
        /// Belongs to another ring; left alone.
        case foreignSegment(segment: Int)
        /// The ring was made with more segments.
        case truncated(segments: Int, expected: Int)
        /// A bad block with a good one behind it.
        case blockDamaged(segment: Int, unit: Int)
        /// The chain of blocks is broken before this one.
        case chainBroken(segment: Int, unit: Int)
        /// A whole block that does not belong where it is.
        case blockMisplaced(segment: Int, unit: Int)
        /// The last write before the stop did not become whole; nothing of it had been acknowledged.
        case tornTail(segment: Int, unit: Int)
        /// A sealed segment's footer is missing or spoiled; the segment was read in full.
        case footerLost(segment: Int)
        /// Readings that should be here and are not; they are a gap now.
        case readingsLost(log: LogID, range: Range<Offset>)
        /// What was recovered may not be durable.
        case syncFailed(message: String)
    }

    package internal(set) var findings: [Finding] = []
    /// Readings newly found lost to damage.
    package internal(set) var damagedReadings = 0
    /// The disk was blank, and is a new ring now.
    package internal(set) var created = false
    /// Disk reads that opening took.
    package internal(set) var reads = 0
    /// Readings found.
    package internal(set) var readings = 0

    /// Whether the last write before the stop was torn: to be expected after a power cut.
    package var tornTail: Bool {
        findings.contains { if case .tornTail = $0 { true } else { false } }
    }

    /// Each finding as a sentence for the log and the status page.
    package var sentences: [String] { findings.map { $0.sentence } }
}

extension RecoveryReport.Finding {
    /// For the log and the status page.
    package var sentence: String {
        switch self {
        case .headerCopySpoiled(let segment): "segment \(segment): one header copy is spoiled, the other serves"
        case .headerLost(let segment):
            "segment \(segment): both header copies are spoiled, its blocks were read instead"
        case .segmentUnreadable(let segment): "segment \(segment): neither header nor blocks can be read"
        case .diskError(let segment, let message): "segment \(segment): \(message)"
        case .segmentMoved(let segment, let from): "segment \(segment): holds what was written to segment \(from)"
        case .segmentCopied(let segment, let of): "segment \(segment): is a copy of segment \(of), left out"
        case .foreignSegment(let segment): "segment \(segment): belongs to another ring, left alone"
        case .truncated(let segments, let expected): "the ring has \(segments) segments and was made with \(expected)"
        case .blockDamaged(let segment, let unit): "segment \(segment): the block at unit \(unit) is damaged"
        case .chainBroken(let segment, let unit): "segment \(segment): blocks are missing before unit \(unit)"
        case .blockMisplaced(let segment, let unit):
            "segment \(segment): the block at unit \(unit) does not belong there"
        case .tornTail(let segment, let unit):
            "segment \(segment): the last write, at unit \(unit), was cut off; nothing of it was acknowledged"
        case .footerLost(let segment): "segment \(segment): the footer cannot be read, the segment was read in full"
        case .readingsLost(let log, let range):
            "log \(log): \(range.lowerBound.distance(to: range.upperBound)) readings from offset "
                + "\(range.lowerBound) on are lost to damage"
        case .syncFailed(let message): "what was recovered may not be durable: \(message)"
        }
    }
}
