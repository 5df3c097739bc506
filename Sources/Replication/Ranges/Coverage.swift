import Model

/// A part of a log and how many hold all of it.
struct CoveredRange: Hashable, Sendable {
    let range: Range<Offset>
    let holders: Int
}

/// `subject` in ascending pieces, each held by the same number of `sets` throughout; pieces that nobody holds are among them.
func coverage(of subject: OffsetRanges, by sets: [OffsetRanges]) -> [CoveredRange] {
    // Most of the time all hold all of it.
    if sets.allSatisfy({ $0.contains(subject) }) {
        return subject.ranges.map { CoveredRange(range: $0, holders: sets.count) }
    }
    var edges: [(offset: Offset, change: Int)] = []
    for set in sets {
        for range in set.intersection(subject).ranges {
            edges.append((range.lowerBound, 1))
            edges.append((range.upperBound, -1))
        }
    }
    edges.sort { $0.offset < $1.offset }
    var pieces: [CoveredRange] = []
    var holders = 0
    var next = 0
    for range in subject.ranges {
        var start = range.lowerBound
        while next < edges.count, edges[next].offset <= range.upperBound {
            let edge = edges[next]
            if start < edge.offset { pieces.append(CoveredRange(range: start..<edge.offset, holders: holders)) }
            start = max(start, edge.offset)
            holders += edge.change
            next += 1
        }
        if start < range.upperBound {
            pieces.append(CoveredRange(range: start..<range.upperBound, holders: holders))
        }
    }
    return pieces
}
