import LogFormat
import Model

/// Where a run of readings lies. Small, for a ring of 1 GiB has some 100,000 of them.
struct IndexEntry: Hashable, Sendable {
    var first: UInt64
    var earliest: Int64
    var latest: Int64
    var count: UInt32
    var segment: UInt16
    /// Position in the segment.
    var unit: UInt16
    var units: UInt8
    var isTrusted: Bool

    var end: UInt64 { first + UInt64(count) }

    /// The part of it from `lower` up to `upper`, which must overlap it.
    func clipped(_ lower: UInt64, _ upper: UInt64) -> IndexEntry {
        var part = self
        part.first = max(first, lower)
        part.count = UInt32(min(end, upper) - part.first)
        return part
    }
}

extension IndexEntry {
    init(_ run: Run, segment: Int, unit: Int, units: Int) {
        self.init(
            first: run.first.rawValue, earliest: run.earliest.rawValue, latest: run.latest.rawValue,
            count: UInt32(run.count), segment: UInt16(segment), unit: UInt16(unit), units: UInt8(units),
            isTrusted: run.isTrusted)
    }
}

/// Whose log it is.
enum LogOrigin: Hashable, Sendable {
    /// Minted by this ring.
    case own
    /// Held for that gateway, which may be this one under an earlier ring.
    case copy(NodeID)
    /// No record that names it was left.
    case unknown

    var node: NodeID? { if case .copy(let node) = self { node } else { nil } }
}

/// What is held of one log, and what is not: entries and gaps, each sorted and without overlap.
struct LogIndex: Sendable {
    private(set) var entries: [IndexEntry] = []
    /// What the entries cover, kept beside them: it is asked for after every commit.
    private(set) var ranges = OffsetRanges()
    private(set) var gaps: [Gap] = []
    var origin = LogOrigin.unknown
    /// One past the last offset known to have been used.
    var end: UInt64 = 0
    var isClosed = true
    /// Everything below may go without being missed.
    var released: UInt64 = 0

    /// The first entry that ends behind `offset`.
    func firstIndex(behind offset: UInt64) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].end <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Entries that overlap the range, whole.
    func overlapping(_ lower: UInt64, _ upper: UInt64) -> ArraySlice<IndexEntry> {
        let start = firstIndex(behind: lower)
        var stop = start
        while stop < entries.count, entries[stop].first < upper { stop += 1 }
        return entries[start..<stop]
    }

    /// Adds the parts of `entry` that nothing covers yet, and returns how many readings that are.
    mutating func insert(_ entry: IndexEntry) -> Int {
        end = max(end, entry.end)
        ranges.insert(entry.first, entry.end)
        guard entry.first < entries.last?.end ?? 0 else {
            entries.append(entry)
            return Int(entry.count)
        }
        let start = firstIndex(behind: entry.first)
        var parts: [IndexEntry] = []
        var added = 0
        var next = entry.first
        var stop = start
        while stop < entries.count, entries[stop].first < entry.end {
            let other = entries[stop]
            if next < other.first {
                parts.append(entry.clipped(next, other.first))
                added += Int(other.first - next)
            }
            parts.append(other)
            next = max(next, other.end)
            stop += 1
        }
        if next < entry.end {
            parts.append(entry.clipped(next, entry.end))
            added += Int(entry.end - next)
        }
        entries.replaceSubrange(start..<stop, with: parts)
        return added
    }

    /// Takes out what lies in the range and, where `segment` is given, in that segment. Returns the parts taken.
    mutating func remove(_ lower: UInt64, _ upper: UInt64, segment: UInt16? = nil) -> [IndexEntry] {
        let touched = overlapping(lower, upper)
        guard !touched.isEmpty else { return [] }
        var kept: [IndexEntry] = []
        var taken: [IndexEntry] = []
        for entry in touched {
            guard segment == nil || entry.segment == segment else {
                kept.append(entry)
                continue
            }
            if entry.first < lower { kept.append(entry.clipped(entry.first, lower)) }
            let part = entry.clipped(lower, upper)
            taken.append(part)
            ranges.remove(part.first, part.end)
            if entry.end > upper { kept.append(entry.clipped(upper, entry.end)) }
        }
        entries.replaceSubrange(touched.startIndex..<touched.endIndex, with: kept)
        return taken
    }

    /// Adds the parts of the range that are in no gap yet, and returns them.
    mutating func addGap(log: LogID, _ lower: UInt64, _ upper: UInt64, _ reason: GapReason) -> [Gap] {
        guard lower < upper else { return [] }
        end = max(end, upper)
        var added: [Gap] = []
        var next = lower
        for gap in gaps where gap.range.upperBound.rawValue > lower && gap.range.lowerBound.rawValue < upper {
            if next < gap.range.lowerBound.rawValue {
                added.append(Gap(log: log, range: Offset(next)..<gap.range.lowerBound, reason: reason))
            }
            next = max(next, gap.range.upperBound.rawValue)
        }
        if next < upper { added.append(Gap(log: log, range: Offset(next)..<Offset(upper), reason: reason)) }
        guard !added.isEmpty else { return [] }
        var joined: [Gap] = []
        for gap in (gaps + added).sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            if let last = joined.last, last.range.upperBound == gap.range.lowerBound, last.reason == gap.reason {
                joined[joined.count - 1] = Gap(
                    log: log, range: last.range.lowerBound..<gap.range.upperBound, reason: gap.reason)
            } else {
                joined.append(gap)
            }
        }
        gaps = joined
        return added
    }

    /// What of the range damage took.
    func damaged(in range: Range<UInt64>) -> [Range<UInt64>] {
        gaps.filter { $0.reason == .damaged }.map { gap in
            (gap.range.lowerBound.rawValue..<gap.range.upperBound.rawValue).clamped(to: range)
        }.filter { !$0.isEmpty }
    }

    /// Takes the range out of the gaps: it has come back. Returns whether any of it was in one.
    mutating func fillGap(_ range: Range<Offset>) -> Bool {
        guard gaps.contains(where: { $0.range.overlaps(range) }) else { return false }
        gaps = gaps.flatMap { $0.without(range) }
        return true
    }

    /// Ranges below ``end`` that are neither held nor in a gap.
    func holes() -> [Range<UInt64>] {
        var covered = entries.map { $0.first..<$0.end }
        covered.append(contentsOf: gaps.map { $0.range.lowerBound.rawValue..<$0.range.upperBound.rawValue })
        covered.sort { $0.lowerBound < $1.lowerBound }
        var holes: [Range<UInt64>] = []
        var next: UInt64 = 0
        for range in covered {
            if next < range.lowerBound { holes.append(next..<range.lowerBound) }
            next = max(next, range.upperBound)
        }
        if next < end { holes.append(next..<end) }
        return holes
    }
}

extension Gap {
    var count: Int { range.lowerBound.distance(to: range.upperBound) }

    /// What is left of it before and behind `range`.
    func without(_ other: Range<Offset>) -> [Gap] {
        guard range.overlaps(other) else { return [self] }
        let before = range.lowerBound..<max(range.lowerBound, other.lowerBound)
        let behind = min(range.upperBound, other.upperBound)..<range.upperBound
        return [before, behind].filter { !$0.isEmpty }.map { Gap(log: log, range: $0, reason: reason) }
    }
}
