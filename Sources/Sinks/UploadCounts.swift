/// How a reading came to an end at one sink.
package enum UploadFate: Hashable, Sendable {
    case uploaded
    /// By the sink, named.
    case refused
    case damaged
    /// Overwritten while pending; the reason is a word of the ledger.
    case evicted(reason: String)
}

/// How many readings were evicted while pending, for one reason.
package struct EvictionCount: Hashable, Sendable {
    package let reason: String
    package var count: UInt64

    package init(reason: String, count: UInt64) {
        self.reason = reason
        self.count = count
    }
}

/// The loss ledger's second equation, for one log or for all:
/// `stored = uploaded + pending + refused + evicted + damaged`. Cumulative.
package struct UploadCounts: Hashable, Sendable {
    /// Committed: every offset below the end of the log.
    package var stored: UInt64 = 0
    package var uploaded: UInt64 = 0
    package var pending: UInt64 = 0
    /// By the sink, each named.
    package var refused: UInt64 = 0
    /// Sorted by reason.
    package private(set) var evicted: [EvictionCount] = []
    package var damaged: UInt64 = 0

    package init() {}

    package var evictedTotal: UInt64 { evicted.reduce(0) { $0 + $1.count } }

    /// What has come to an end, one way or another.
    package var settled: UInt64 { uploaded + refused + evictedTotal + damaged }

    package var isBalanced: Bool { stored == settled + pending }

    /// Distinct reasons are bounded: a reason is a word of the ledger, not a message.
    static let reasons = 16
    static let reasonBytes = 32

    package mutating func addEvicted(_ count: UInt64, reason: String) {
        guard count > 0 else { return }
        let place = evicted.firstIndex { $0.reason >= reason } ?? evicted.endIndex
        if place < evicted.endIndex, evicted[place].reason == reason {
            evicted[place].count += count
        } else {
            evicted.insert(EvictionCount(reason: reason, count: count), at: place)
        }
    }

    /// Counts readings that came to an end.
    package mutating func add(_ count: UInt64, _ fate: UploadFate) {
        switch fate {
        case .uploaded: uploaded += count
        case .refused: refused += count
        case .damaged: damaged += count
        case .evicted(let reason): addEvicted(count, reason: reason)
        }
    }

    /// Takes back at most `count` readings of that fate, and returns how many those were.
    package mutating func take(_ count: UInt64, _ fate: UploadFate) -> UInt64 {
        let taken = min(count, self[fate])
        switch fate {
        case .uploaded: uploaded -= taken
        case .refused: refused -= taken
        case .damaged: damaged -= taken
        case .evicted(let reason):
            guard let place = evicted.firstIndex(where: { $0.reason == reason }) else { return 0 }
            evicted[place].count -= taken
            if evicted[place].count == 0 { evicted.remove(at: place) }
        }
        return taken
    }

    package subscript(fate: UploadFate) -> UInt64 {
        switch fate {
        case .uploaded: uploaded
        case .refused: refused
        case .damaged: damaged
        case .evicted(let reason): evicted.first { $0.reason == reason }?.count ?? 0
        }
    }

    /// Every fate that a reading here has met.
    package var fates: [UploadFate] {
        let all = [UploadFate.uploaded, .refused, .damaged] + evicted.map { .evicted(reason: $0.reason) }
        return all.filter { self[$0] > 0 }
    }

    package mutating func add(_ other: UploadCounts) {
        stored += other.stored
        uploaded += other.uploaded
        pending += other.pending
        refused += other.refused
        damaged += other.damaged
        for entry in other.evicted { addEvicted(entry.count, reason: entry.reason) }
    }
}
