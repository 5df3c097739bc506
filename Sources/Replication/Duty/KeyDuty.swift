import Environment
import Model

/// What a peer says of one log at one sink.
struct PeerUploads: Sendable {
    let node: NodeID
    /// What it says to need no upload.
    var ranges = OffsetRanges()
    /// Receipts that are neither proved nor found wrong here.
    var receipts: [UploadReceipt] = []
    /// Receipts that were found wrong.
    var wrong: [UploadReceipt] = []
    var turn: UInt64?
    var isWorking = false
    /// When it last spoke of working, or of having stopped.
    var spokeAt: MonotonicInstant?
    /// The sink asked it to wait until then.
    var quietUntil: MonotonicInstant?

    init(node: NodeID) {
        self.node = node
    }

    /// From when on its silence counts.
    var silentSince: MonotonicInstant? {
        guard let spokeAt else { return nil }
        return max(spokeAt, isWorking ? quietUntil ?? spokeAt : spokeAt)
    }

    /// Whether it works on the log as far as one can know.
    func isActive(_ now: MonotonicInstant, life: Duration) -> Bool {
        guard isWorking, let since = silentSince else { return false }
        return since.advanced(by: life) > now
    }
}

/// One log at one sink, as this gateway sees it.
struct KeyDuty: Sendable {
    let key: UploadKey
    /// The sink has it: accepted from here, or proved by a receipt. Only grows.
    var proved = OffsetRanges()
    /// Needs no upload from here: proved, refused, or gone. Only grows, but for what was gone and is here again.
    var done = OffsetRanges()
    var own = OwnReceipts()
    /// By node.
    var peers: [PeerUploads] = []

    /// Since when there is something to upload.
    var pendingSince: MonotonicInstant?
    var isStarted = false
    /// Since when this gateway says to work so that another stops, and waits for that; it has not started yet.
    var announcedAt: MonotonicInstant?
    var isWorking = false
    var turn: UInt64 = 0
    /// The newest claim, which nobody need be told again.
    var lastClaim: MonotonicInstant?
    /// When the next claim is due; `nil` where there is nothing to tell.
    var claimDue: MonotonicInstant?
    /// When peers that lag get receipts anew; `nil` where none lags.
    var vouchDue: MonotonicInstant?
    /// How often they got some since a peer's claim changed.
    var vouches = 0
    /// The allowance that the owner knows; `nil` before it knows one.
    var toldAllowance: Allowance?
    /// An upload was accepted since the allowance was told: it has used it up.
    var isAllowanceUsed = false
    /// Since when the next in rank lacks the receipts of as many chunks as may be unknown to it.
    var heldUpSince: MonotonicInstant?
    /// When the key is looked at again.
    var due: MonotonicInstant?

    enum Allowance: Hashable, Sendable {
        case unlimited
        case chunks(Int)
    }

    init(key: UploadKey) {
        self.key = key
    }

    func peer(_ node: NodeID) -> PeerUploads? { peers.first { $0.node == node } }

    /// What the peer says to need no upload; `nil` where it says nothing of the log.
    func claimed(by node: NodeID) -> OffsetRanges? {
        for index in peers.indices where peers[index].node == node { return peers[index].ranges }
        return nil
    }

    mutating func edit(_ node: NodeID, _ change: (inout PeerUploads) -> Void) {
        var index = peers.firstIndex { $0.node >= node } ?? peers.endIndex
        if index == peers.endIndex || peers[index].node != node {
            peers.insert(PeerUploads(node: node), at: index)
            index = peers.firstIndex { $0.node == node } ?? index
        }
        change(&peers[index])
    }

    mutating func prove(_ range: Range<Offset>) {
        proved.insert(range)
        done.insert(range)
        for index in peers.indices where !peers[index].receipts.isEmpty {
            peers[index].receipts.removeAll { proved.contains($0.range) || $0.isRefused && done.contains($0.range) }
        }
    }

    /// The sink will have none of it.
    mutating func refuse(_ range: Range<Offset>) {
        done.insert(range)
        for index in peers.indices where !peers[index].receipts.isEmpty {
            peers[index].receipts.removeAll { $0.isRefused && done.contains($0.range) }
        }
    }

    /// Whether nothing is to be learnt from a receipt any more.
    func knows(_ receipt: UploadReceipt) -> Bool {
        receipt.isRefused ? done.contains(receipt.range) : proved.contains(receipt.range)
    }

    /// Asks for a claim at `moment` at the latest, and not faster than claims may follow each other.
    mutating func claim(at moment: MonotonicInstant, settings: DutySettings) {
        let earliest = lastClaim.map { max(moment, $0.advanced(by: settings.claimInterval)) } ?? moment
        claimDue = min(claimDue ?? earliest, earliest)
    }
}

/// What is known of one log whatever the sink.
struct LogDuty: Sendable {
    var holds = OffsetRanges()
    /// By node; none is empty.
    var peers: [(node: NodeID, holds: OffsetRanges)] = []
    /// Sinks for which there is a ``KeyDuty``, sorted.
    var sinks: [SinkID] = []
    /// Minted by this process.
    var isNew = false
    /// Could not be read when last tried; forgotten when what is held changes.
    var unreadable: [Range<Offset>] = []

    /// Whether there is anything to upload from. What this process minted may be in its RAM alone.
    var isHere: Bool { isNew || !holds.isEmpty }

    mutating func peer(_ node: NodeID, holds ranges: OffsetRanges) {
        let index = peers.firstIndex { $0.node >= node } ?? peers.endIndex
        let isKnown = index < peers.endIndex && peers[index].node == node
        if ranges.isEmpty {
            if isKnown { peers.remove(at: index) }
        } else if isKnown {
            peers[index].holds = ranges
        } else {
            peers.insert((node, ranges), at: index)
        }
    }

    func held(by node: NodeID) -> OffsetRanges? { peers.first { $0.node == node }?.holds }
}
