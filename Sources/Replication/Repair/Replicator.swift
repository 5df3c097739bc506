package import Environment
package import Model

// Pure: no clock, randomness, I/O or unordered iteration of its own.

/// Which gateway holds what of every log, and what this one fetches, serves, claims and gives up so that each reading
/// is held by as many live gateways as it should be. See `Documentation/Replication.md`.
package struct Replicator: Sendable {
    package let node: NodeID
    let settings: ReplicatorSettings
    package internal(set) var counts = ReplicationCounts()

    // Who is there.
    /// Live gateways, this one among them, ascending; and all that are known.
    var alive: [NodeID]
    var known: [NodeID]
    var peers: [NodeID: PeerManners] = [:]
    /// Peers that are left alone for a while.
    var quiet: [NodeID] = []

    // What is known.
    var logs: [LogName: LogState] = [:]
    /// The keys of `logs`, ascending.
    var names: [LogName] = []
    var dirty: [LogName] = []
    var unpublished: [LogName] = []
    var nextClaims: MonotonicInstant?
    var lastClaims: MonotonicInstant?

    // What is fetched.
    var freshQueue = WantQueue()
    var backfillQueue = WantQueue()
    var freshTurn: UInt64 = 0
    var stalled: [LogName] = []
    var fetches: [Fetch] = []
    var storing: [Storing] = []
    var bucket: TokenBucket
    var isPaused = false
    /// The ring had no room: nothing is asked for until then.
    var noRoomUntil: MonotonicInstant?
    /// Chunks refused for want of room since one was stored, up to ``ReplicatorLimits/noRoomDoublings``.
    var refusals = 0

    // What is served.
    var reads: [PeerRead] = []
    var nextRead: UInt64 = 1

    // What is given up.
    var surplus: [LogName] = []
    var nextSurplus: MonotonicInstant?
    var surplusCursor: LogName?
    var keeping: [KeptFor] = []

    var lastWake: MonotonicInstant?

    package init(node: NodeID, settings: ReplicatorSettings = ReplicatorSettings()) {
        self.node = node
        self.settings = settings
        alive = [node]
        known = [node]
        bucket = TokenBucket(
            bytesPerSecond: settings.backfillBytesPerSecond, burst: 2 * ReplicatorLimits.chunkBytes)
    }

    /// Takes in one event. Directives are to be carried out in order.
    package mutating func step(
        _ event: ReplicationEvent, now: MonotonicInstant, using generator: inout some RandomNumberGenerator
    ) -> [ReplicationDirective] {
        var directives: [ReplicationDirective] = []
        switch event {
        case .members(let alive, let known): setMembers(alive: alive, known: known)
        case .forgotten(let node): forget(node)
        case .claim(let node, let log, let holdings): setClaim(holdings, of: node, log)
        case .opened(let log): setOrigin(.open, of: log)
        case .minted(let log): setOrigin(.minted, of: log)
        case .closed(let log, let end): close(log, end)
        case .held(let log, let range): hold(range, of: log)
        case .lost(let log, let range, let reason): lose(range, of: log, reason)
        case .released(let log, let offset): release(log, offset)
        case .settled(let log, let offset): settle(log, offset)
        case .frame(let bytes, let peer): receive(bytes, from: peer, now, &directives, &generator)
        case .unreachable(let peer): failFetches(from: peer, now, &generator)
        case .chunkRead(let id, let outcome): serve(id, outcome, &directives)
        case .refused(let id, let refusal): refuse(id, refusal, now, &directives, &generator)
        case .paused(let isPaused): self.isPaused = isPaused
        case .holdKept(let id): grant(id, &directives)
        case .tick: break
        }
        expire(now, &generator)
        plan(&directives)
        fetch(now, &directives, &generator)
        publish(now, &directives)
        lookForSurplus(now, &directives, &generator)
        wake(now, &directives)
        return directives
    }

    /// Asks for a tick at the next moment at which something is due.
    private mutating func wake(_ now: MonotonicInstant, _ directives: inout [ReplicationDirective]) {
        var next: MonotonicInstant?
        func consider(_ moment: MonotonicInstant?) {
            guard let moment else { return }
            next = min(next ?? moment, moment)
        }
        for fetch in fetches { consider(fetch.deadline) }
        consider(storing.first?.deadline)
        consider(nextClaims)
        consider(nextSurplus)
        if canFetch, !(freshQueue.isEmpty && backfillQueue.isEmpty && stalled.isEmpty) {
            if let noRoomUntil {
                consider(noRoomUntil)
            } else {
                for peer in quiet { consider(peers[peer]?.quietUntil) }
                if !backfillQueue.isEmpty { consider(bucket.nextToken(now)) }
            }
        }
        guard next != lastWake else { return }
        lastWake = next
        if let next { directives.append(.wake(at: next)) }
    }
}

extension Replicator {
    /// Changes what is known of a log and has it planned anew. Logs beyond the limit are passed over.
    mutating func update(_ log: LogName, _ change: (inout LogState) -> Void) {
        guard prepare(log) else { return }
        change(&logs[log]!)
        touch(log)
    }

    /// Whether the log is known, or has been added.
    mutating func prepare(_ log: LogName) -> Bool {
        if logs[log] != nil { return true }
        if names.count >= ReplicatorLimits.logs { removeFinished() }
        guard names.count < ReplicatorLimits.logs else { return false }
        var state = LogState()
        state.place(on: targets(of: log), self: node)
        logs[log] = state
        names.insert(log, at: names.place(of: log).index)
        return true
    }

    mutating func touch(_ log: LogName) {
        guard logs[log]?.isDirty == false else { return }
        logs[log]?.isDirty = true
        dirty.append(log)
    }

    /// What is said of the log has changed.
    mutating func touchClaim(_ log: LogName) {
        guard logs[log]?.isUnpublished == false else { return }
        logs[log]?.isUnpublished = true
        unpublished.append(log)
    }
}
