package import Model

/// Where a reading stands in a query's order: by time, then log, then offset.
package struct QueryPlace: Hashable, Comparable, Sendable {
    package let time: Milliseconds
    package let log: LogID
    package let offset: Offset

    package init(time: Milliseconds, log: LogID, offset: Offset) {
        self.time = time
        self.log = log
        self.offset = offset
    }

    /// The last place that comes before all of `time`, in the direction.
    package init(before time: Milliseconds, newestFirst: Bool) {
        let edge = newestFirst ? UInt64.min : UInt64.max
        let next =
            newestFirst ? time.rawValue.addingReportingOverflow(1) : time.rawValue.subtractingReportingOverflow(1)
        self.init(
            time: next.overflow ? time : Milliseconds(next.partialValue), log: LogID(edge), offset: Offset(edge))
    }

    package static func < (left: QueryPlace, right: QueryPlace) -> Bool {
        if left.time != right.time { return left.time < right.time }
        return left.log == right.log ? left.offset < right.offset : left.log < right.log
    }

    package func comes(before other: QueryPlace, newestFirst: Bool) -> Bool {
        newestFirst ? other < self : self < other
    }

    /// The first time that may lie behind it.
    func nextTime(newestFirst: Bool) -> Milliseconds {
        let edge = newestFirst ? UInt64.min : UInt64.max
        guard log.rawValue == edge, offset.rawValue == edge else { return time }
        let next =
            newestFirst ? time.rawValue.subtractingReportingOverflow(1) : time.rawValue.addingReportingOverflow(1)
        return next.overflow ? time : Milliseconds(next.partialValue)
    }
}

extension TimedReading {
    package var place: QueryPlace { QueryPlace(time: time, log: stored.log, offset: stored.offset) }
}

/// What of a log a query is about.
package enum LogScope: Sendable {
    case nothing
    case all
    /// Ascending and apart from each other, as in ``except(_:)``.
    case only([Range<Offset>])
    case except([Range<Offset>])

    /// The parts of the entry that are asked for.
    func parts(of entry: IndexEntry) -> [IndexEntry] {
        switch self {
        case .nothing: []
        case .all: [entry]
        case .only(let ranges): Self.overlaps(ranges, entry).map { entry.clipped($0.lowerBound, $0.upperBound) }
        case .except(let ranges):
            Self.gaps(ranges, entry).map { entry.clipped($0.lowerBound, $0.upperBound) }
        }
    }

    private static func overlaps(_ ranges: [Range<Offset>], _ entry: IndexEntry) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        for range in ranges[first(ranges, endingBehind: entry.first)...] {
            let (lower, upper) = (
                max(range.lowerBound.rawValue, entry.first), min(range.upperBound.rawValue, entry.end)
            )
            guard lower < upper else { break }
            found.append(lower..<upper)
        }
        return found
    }

    private static func gaps(_ ranges: [Range<Offset>], _ entry: IndexEntry) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        var next = entry.first
        for range in overlaps(ranges, entry) {
            if next < range.lowerBound { found.append(next..<range.lowerBound) }
            next = range.upperBound
        }
        if next < entry.end { found.append(next..<entry.end) }
        return found
    }

    /// The index of the first range that ends behind `offset`.
    private static func first(_ ranges: [Range<Offset>], endingBehind offset: UInt64) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound.rawValue <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
