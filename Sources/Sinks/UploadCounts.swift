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

    mutating func addEvicted(_ count: UInt64, reason: String) {
        guard count > 0 else { return }
        let place = evicted.firstIndex { $0.reason >= reason } ?? evicted.endIndex
        if place < evicted.endIndex, evicted[place].reason == reason {
            evicted[place].count += count
        } else {
            evicted.insert(EvictionCount(reason: reason, count: count), at: place)
        }
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
