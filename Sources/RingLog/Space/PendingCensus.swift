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

    func holdsMostlyCopies(_ segment: Int) -> Bool { copies[segment] > 0 && copies[segment] >= own[segment] }

    /// The part of the ring, 0 to 1, that copies take: of each segment as much as they are of what it holds pending.
    var copiesPart: Double {
        var taken = 0.0
        for segment in own.indices where copies[segment] > 0 {
            taken += Double(copies[segment]) / Double(own[segment] + copies[segment])
        }
        return taken / Double(own.count)
    }
}

extension RingLog {
    /// Walks over what is pending, and remembers it until a segment is opened or emptied, or something is released.
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

    /// Whether copies may still come in: there is room, or they have less than their share.
    mutating func hasRoomForCopies() -> Bool {
        if options.retention == .rejectNew, isFull { return false }
        guard usable + leavingCount <= 2 else { return true }
        let census = pendingCensus()
        // What is released makes room without loss.
        let isReleased = segments.indices.contains { segments[$0].state == .sealed && !census.isPending($0) }
        return isReleased || census.copiesPart < options.copiesShare
    }

    /// Whether this ring holds, or lately held, logs that it did not mint.
    var hasCopies: Bool { logOrder.contains { indexes[$0]?.origin != .own } }
}
