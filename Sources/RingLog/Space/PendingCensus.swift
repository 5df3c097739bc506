import Model

/// How many readings that are not released each segment holds, own ones and copies.
struct PendingCensus: Sendable {
    private var own: [Int]
    private var copies: [Int]

    init(segments: Int) {
        own = Array(repeating: 0, count: segments)
        copies = own
    }

    mutating func add(_ count: Int, segment: Int, isOwn: Bool) {
        if isOwn { own[segment] += count } else { copies[segment] += count }
    }

    func isPending(_ segment: Int) -> Bool { own[segment] + copies[segment] > 0 }

    /// The part, 0 to 1, of the segments that can hold what is pending which do.
    var pendingPart: Double {
        let taken = own.indices.count { isPending($0) }
        return min(Double(taken) / Double(max(own.count - RingCapacity.reservedSegments, 1)), 1)
    }

    func holdsMostlyCopies(_ segment: Int) -> Bool { copies[segment] > 0 && copies[segment] >= own[segment] }

    /// The part that copies take of the segments that can hold what is pending: of each as much as they are of what it holds pending.
    var copiesPart: Double {
        var taken = 0.0
        for segment in own.indices where copies[segment] > 0 {
            taken += Double(copies[segment]) / Double(own[segment] + copies[segment])
        }
        return taken / Double(max(own.count - RingCapacity.reservedSegments, 1))
    }
}

extension RingLog {
    /// Walks over what is pending, and remembers it until that changes.
    mutating func pendingCensus() -> PendingCensus {
        if let census { return census }
        var counted = PendingCensus(segments: segments.count)
        for log in logOrder {
            guard let index = indexes[log] else { continue }
            let isOwn = index.origin == .own
            for entry in index.entries[index.firstIndex(behind: index.released)...] {
                let pending = Int(entry.end - max(entry.first, index.released))
                counted.add(pending, segment: Int(entry.segment), isOwn: isOwn)
            }
        }
        census = counted
        return counted
    }

    /// Whether copies may still come in. The first row that applies decides.
    ///
    /// | retention  | room or something released | copies that are pending | copies    |
    /// |------------|----------------------------|-------------------------|-----------|
    /// | rejectNew  | the ring is full           | -                       | refused   |
    /// | any other  | yes                        | -                       | come in   |
    /// | any        | -                          | below their share       | come in   |
    /// | any        | -                          | at it or above          | refused   |
    ///
    /// A ring that may drop nothing can never take room back from copies, so that they never get more than their share of it.
    package mutating func hasRoomForCopies() -> Bool {
        switch options.retention {
        case .rejectNew: if isFull { return false }
        case .dropOldest, .downsample:
            if usable + leavingCount > 2 { return true }
            let census = pendingCensus()
            if evictable.contains(where: { !census.isPending($0) }) { return true }
        }
        return pendingCensus().copiesPart < options.copiesShare
    }

    /// The part, 0 to 1, of the ring that readings take which may not go, own ones and copies.
    package mutating func pendingPart() -> Double { pendingCensus().pendingPart }

    /// Whether this ring holds, or lately held, logs that it did not mint.
    var hasCopies: Bool { logOrder.contains { indexes[$0]?.origin != .own } }
}
