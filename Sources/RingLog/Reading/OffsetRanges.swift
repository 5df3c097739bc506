/// Offsets of one log as sorted ranges that neither overlap nor touch. A log without holes is one range, however many blocks it fills.
struct OffsetRanges: Sendable {
    private(set) var all: [Range<UInt64>] = []
    /// Offsets in all of them.
    private(set) var count = 0

    var isEmpty: Bool { all.isEmpty }

    /// The first range that ends at or behind `offset`.
    private func firstIndex(reaching offset: UInt64) -> Int {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].upperBound < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func insert(_ lower: UInt64, _ upper: UInt64) {
        guard lower < upper else { return }
        let start = firstIndex(reaching: lower)
        var (stop, first, end) = (start, lower, upper)
        while stop < all.count, all[stop].lowerBound <= upper {
            first = min(first, all[stop].lowerBound)
            end = max(end, all[stop].upperBound)
            count -= all[stop].count
            stop += 1
        }
        count += Int(end - first)
        if stop == start + 1 {
            all[start] = first..<end
        } else {
            all.replaceSubrange(start..<stop, with: CollectionOfOne(first..<end))
        }
    }

    mutating func remove(_ lower: UInt64, _ upper: UInt64) {
        guard lower < upper else { return }
        let start = firstIndex(reaching: lower)
        var stop = start
        var kept: [Range<UInt64>] = []
        while stop < all.count, all[stop].lowerBound < upper {
            let range = all[stop]
            count -= range.count
            if range.lowerBound < lower { kept.append(range.lowerBound..<min(range.upperBound, lower)) }
            if range.upperBound > upper { kept.append(upper..<range.upperBound) }
            stop += 1
        }
        for range in kept { count += range.count }
        all.replaceSubrange(start..<stop, with: kept)
    }

    /// What of the range is in none of these.
    func missing(in range: Range<UInt64>) -> [Range<UInt64>] {
        var missing: [Range<UInt64>] = []
        var next = range.lowerBound
        var index = firstIndex(reaching: range.lowerBound)
        while index < all.count, all[index].lowerBound < range.upperBound {
            if next < all[index].lowerBound { missing.append(next..<all[index].lowerBound) }
            next = max(next, all[index].upperBound)
            index += 1
        }
        if next < range.upperBound { missing.append(next..<range.upperBound) }
        return missing
    }
}
