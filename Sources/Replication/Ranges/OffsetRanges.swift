package import Model

/// A set of offsets of one log, as ascending ranges that neither overlap nor touch. Equal sets are equal values.
package struct OffsetRanges: Hashable, Sendable {
    package private(set) var ranges: [Range<Offset>]

    package init() {
        ranges = []
    }

    /// All offsets of `range`; nothing where it is empty.
    package init(_ range: Range<Offset>) {
        ranges = range.isEmpty ? [] : [range]
    }

    /// The union of `ranges`, which may lie in any order, overlap, touch and be empty.
    package init(_ ranges: some Sequence<Range<Offset>>) {
        self.ranges = Self.merged(ranges.filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound })
    }

    /// `ranges` must be ascending, not empty each, and apart from each other.
    init(unchecked ranges: [Range<Offset>]) {
        self.ranges = ranges
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// How many offsets are in the set.
    package var readings: UInt64 {
        ranges.reduce(into: 0) { $0 += $1.upperBound.rawValue - $1.lowerBound.rawValue }
    }

    /// The first offset of the set.
    package var lowest: Offset? { ranges.first?.lowerBound }

    /// One past the last offset of the set; 0 where it is empty.
    package var end: Offset { ranges.last?.upperBound ?? .zero }

    package func contains(_ offset: Offset) -> Bool {
        let index = firstIndex(endingAbove: offset)
        return index < ranges.count && ranges[index].lowerBound <= offset
    }

    /// Whether every offset of `range` is in the set; an empty range is in every set.
    package func contains(_ range: Range<Offset>) -> Bool {
        range.isEmpty || end(of: range.lowerBound) >= range.upperBound
    }

    /// Whether every offset of `other` is in the set.
    package func contains(_ other: OffsetRanges) -> Bool { other.ranges.allSatisfy { contains($0) } }

    /// The end of the unbroken run that holds `start`: the first offset from there on that is not in the set.
    package func end(of start: Offset) -> Offset {
        let index = firstIndex(endingAbove: start)
        return index < ranges.count && ranges[index].lowerBound <= start ? ranges[index].upperBound : start
    }

    /// Everything below is in the set.
    package var prefixEnd: Offset { end(of: .zero) }

    /// The index of the first range that ends above `offset`; the number of ranges where none does.
    func firstIndex(endingAbove offset: Offset) -> Int {
        // Most questions are about the tail.
        guard let last = ranges.last, last.upperBound > offset else { return ranges.count }
        var low = 0
        var high = ranges.count - 1
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Ascending by lower bound in, apart from each other out.
    private static func merged(_ ascending: [Range<Offset>]) -> [Range<Offset>] {
        var result: [Range<Offset>] = []
        result.reserveCapacity(ascending.count)
        for range in ascending {
            if let last = result.last, range.lowerBound <= last.upperBound {
                result[result.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}

extension OffsetRanges {
    package mutating func insert(_ range: Range<Offset>) {
        guard !range.isEmpty else { return }
        guard let last = ranges.last, range.lowerBound <= last.upperBound else { return ranges.append(range) }
        // Touching ranges become one, so a range that ends exactly where this one begins counts too.
        var first = firstIndex(endingAbove: range.lowerBound)
        if first > 0, ranges[first - 1].upperBound == range.lowerBound { first -= 1 }
        var after = first
        var union = range
        while after < ranges.count, ranges[after].lowerBound <= range.upperBound {
            union =
                min(union.lowerBound, ranges[after].lowerBound)..<max(union.upperBound, ranges[after].upperBound)
            after += 1
        }
        ranges.replaceSubrange(first..<after, with: CollectionOfOne(union))
    }

    package mutating func remove(_ range: Range<Offset>) {
        guard !range.isEmpty else { return }
        let first = firstIndex(endingAbove: range.lowerBound)
        var after = first
        var rest: [Range<Offset>] = []
        while after < ranges.count, ranges[after].lowerBound < range.upperBound {
            let old = ranges[after]
            if old.lowerBound < range.lowerBound { rest.append(old.lowerBound..<range.lowerBound) }
            if old.upperBound > range.upperBound { rest.append(range.upperBound..<old.upperBound) }
            after += 1
        }
        if after > first { ranges.replaceSubrange(first..<after, with: rest) }
    }

    /// Removes every offset below `offset`.
    package mutating func remove(below offset: Offset) { remove(.zero..<offset) }

    package mutating func formUnion(_ other: OffsetRanges) {
        if isEmpty {
            self = other
        } else {
            for range in other.ranges { insert(range) }
        }
    }

    package func union(_ other: OffsetRanges) -> OffsetRanges {
        var result = self
        result.formUnion(other)
        return result
    }

    package mutating func subtract(_ other: OffsetRanges) {
        guard !isEmpty else { return }
        for range in other.ranges { remove(range) }
    }

    package func subtracting(_ other: OffsetRanges) -> OffsetRanges {
        var result = self
        result.subtract(other)
        return result
    }

    package func intersection(_ range: Range<Offset>) -> OffsetRanges { intersection(OffsetRanges(range)) }

    package func intersection(_ other: OffsetRanges) -> OffsetRanges {
        var result: [Range<Offset>] = []
        var left = 0
        var right = 0
        while left < ranges.count, right < other.ranges.count {
            let (mine, theirs) = (ranges[left], other.ranges[right])
            let low = max(mine.lowerBound, theirs.lowerBound)
            let high = min(mine.upperBound, theirs.upperBound)
            if low < high { result.append(low..<high) }
            if mine.upperBound <= theirs.upperBound { left += 1 } else { right += 1 }
        }
        return OffsetRanges(unchecked: result)
    }

    /// At most `limit` of the ranges: the first, which is the prefix; the last, which is the fresh tail; and the longest
    /// between. A subset: what is said with it understates, never overstates. `limit` is 2 or more.
    package func bounded(to limit: Int) -> OffsetRanges {
        guard ranges.count > limit else { return self }
        let middle = ranges.indices.dropFirst().dropLast().sorted { left, right in
            let (one, other) = (ranges[left].length, ranges[right].length)
            return one == other ? left < right : one > other
        }
        let kept = ([0, ranges.count - 1] + middle.prefix(limit - 2)).sorted()
        return OffsetRanges(unchecked: kept.map { ranges[$0] })
    }
}

extension OffsetRanges: CustomStringConvertible {
    /// `0..<100, 200..<300`.
    package var description: String { ranges.map(\.description).joined(separator: ", ") }
}

extension Range where Bound == Offset {
    /// How many offsets the range has.
    var length: UInt64 { upperBound.rawValue - lowerBound.rawValue }
}
