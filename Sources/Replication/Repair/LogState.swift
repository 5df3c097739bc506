import Environment
import Model

/// Where this gateway's part of a log comes from.
enum LogOrigin: Hashable, Sendable {
    /// A copy: of another gateway's log, or of an own log from before this disk.
    case copied
    /// This ring wrote it, in an earlier process.
    case minted
    /// This process writes it.
    case open
}

/// What another gateway says of one log.
struct PeerClaim: Sendable {
    let node: NodeID
    /// As published.
    var holdings: Holdings
    /// Its ranges without those that it could not give when asked.
    var ranges: OffsetRanges
}

/// What a replicator knows of one log.
struct LogState: Sendable {
    var origin = LogOrigin.copied
    /// Durable here.
    var mine = OffsetRanges()
    /// No longer here though nobody agreed to that: what the claim says.
    var lost = OffsetRanges()
    /// The part of `lost` that there is no room for.
    var evicted = OffsetRanges()
    /// Asked for, or with the ring and not durable yet.
    var underway = OffsetRanges()
    var end = Offset.zero
    var isClosed = false
    var released = Offset.zero
    var settled = Offset.zero
    /// Of others, ascending by node.
    var claims: [PeerClaim] = []

    /// The live gateways that should hold the log, in no order that means anything.
    var targets: [NodeID] = []
    var isTarget = false

    /// To be planned anew at the end of the step.
    var isDirty = false
    var isUnpublished = false
    var published: Holdings?
    /// To be fetched: the fresh tail, and the rest.
    var freshWant = OffsetRanges()
    var backfillWant = OffsetRanges()
    /// Its places in the queues of the lanes.
    var freshRank: UInt64?
    var backfillRank: UInt64?
    /// Gave up such a place, as all who could bring something are left alone.
    var isStalled = false
    /// Has a place in the list of logs with surplus.
    var isSurplus = false
    var holds = HoldState()

    /// Nobody needs a copy of what lies below.
    var floor: Offset { max(settled, released) }

    mutating func place(on nodes: [NodeID], self node: NodeID) {
        targets = nodes
        isTarget = nodes.contains(node)
    }

    func claimIndex(of node: NodeID) -> (index: Int, isThere: Bool) {
        var low = 0
        var high = claims.count
        while low < high {
            let middle = (low + high) / 2
            if claims[middle].node < node { low = middle + 1 } else { high = middle }
        }
        return (low, low < claims.count && claims[low].node == node)
    }

    func claim(of node: NodeID) -> PeerClaim? {
        let (index, isThere) = claimIndex(of: node)
        return isThere ? claims[index] : nil
    }

    /// Nothing of it is left anywhere that is known. What this ring wrote stays known as such until the next start, and
    /// what is settled stays so, for a claim about it may be on its way.
    var isForgettable: Bool { isFinished && floor == .zero && !isUnpublished }

    /// Can be forgotten where room is short.
    var isFinished: Bool {
        origin == .copied && mine.isEmpty && underway.isEmpty && claims.isEmpty && published == nil
    }
}

/// What a log's surplus is about: asked of others, given up here, promised to others.
struct HoldState: Sendable {
    struct Grant: Sendable {
        let node: NodeID
        let ranges: OffsetRanges
    }

    /// The round of asking that runs, what it asks for, and when it began.
    var round: (id: HoldID, ranges: OffsetRanges, at: MonotonicInstant)?
    var grants: [Grant] = []
    /// May be evicted here: enough others keep it.
    var givenUp = OffsetRanges()
    /// Written down as kept for others.
    var kept = OffsetRanges()
}
