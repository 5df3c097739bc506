import Environment
import Model

/// Asks for what is lacking.
extension Replicator {
    var canFetch: Bool {
        !isPaused && fetches.count < ReplicatorLimits.inFlight
            && fetches.count + storing.count < ReplicatorLimits.storing
    }

    mutating func fetch(
        _ now: MonotonicInstant, _ directives: inout [ReplicationDirective],
        _ generator: inout some RandomNumberGenerator
    ) {
        guard noRoomUntil == nil, !(freshQueue.isEmpty && backfillQueue.isEmpty) else { return }
        while canFetch, ask(.fresh, now, &directives, &generator) {}
        bucket.refill(now)
        // One of the places stays free for what is fresh.
        while canFetch, bucket.isOpen,
            fetches.reduce(0, { $0 + ($1.lane == .backfill ? 1 : 0) }) < ReplicatorLimits.inFlight - 1,
            ask(.backfill, now, &directives, &generator)
        {}
    }

    /// Sends the most urgent request of the lane that can be sent now. Whether there was one.
    private mutating func ask(
        _ lane: Lane, _ now: MonotonicInstant, _ directives: inout [ReplicationDirective],
        _ generator: inout some RandomNumberGenerator
    ) -> Bool {
        while let want = (lane == .fresh ? freshQueue : backfillQueue).wants.first {
            let log = want.log
            guard let (range, peer) = choose(log, lane, &generator) else {
                stall(want, lane)
                continue
            }
            let id = FetchID(generator.next())
            let patience = lane == .fresh ? settings.freshTimeout : settings.timeout
            let deadline = now.advanced(by: patience * (peers[peer]?.patience ?? 1))
            fetches.append(
                Fetch(id: id, log: log, range: range, peer: peer, lane: lane, sent: now, deadline: deadline))
            update(log) { $0.underway.insert(range) }
            plan(&directives)
            directives.append(.frame(ReplicationFrame.request(id, log, range).encoded, to: peer))
            return true
        }
        return false
    }

    /// All holders of what the log lacks are left alone now: it gives up its place until one of them is not any more.
    private mutating func stall(_ want: WantQueue.Want, _ lane: Lane) {
        switch lane {
        case .fresh:
            freshQueue.remove(want)
            logs[want.log]?.freshRank = nil
        case .backfill:
            backfillQueue.remove(want)
            logs[want.log]?.backfillRank = nil
        }
        guard logs[want.log]?.isStalled == false else { return }
        logs[want.log]?.isStalled = true
        stalled.append(want.log)
    }

    private mutating func resume() {
        for log in stalled {
            logs[log]?.isStalled = false
            touch(log)
        }
        stalled.removeAll(keepingCapacity: true)
    }

    /// What to ask for next of a log, and whom: of back-fill what the fewest hold, of fresh readings the oldest; the
    /// holder that has least to do for us.
    private func choose(
        _ log: LogName, _ lane: Lane, _ generator: inout some RandomNumberGenerator
    ) -> (range: Range<Offset>, peer: NodeID)? {
        guard let state = logs[log] else { return nil }
        let want = lane == .fresh ? state.freshWant : state.backfillWant
        let claims = state.claims.filter { isAlive($0.node) && peers[$0.node]?.quietUntil == nil }
        var best: CoveredRange?
        for piece in coverage(of: want, by: claims.map(\.ranges)) where piece.holders > 0 {
            if best.map({ piece.holders < $0.holders }) ?? true { best = piece }
            if lane == .fresh { break }
        }
        guard let start = best?.range.lowerBound else { return nil }
        var least = Int.max
        var holders: [PeerClaim] = []
        for claim in claims where claim.ranges.contains(start) {
            let load = fetches.reduce(0) { $0 + ($1.peer == claim.node ? 1 : 0) }
            if load < least { (least, holders) = (load, []) }
            if load == least { holders.append(claim) }
        }
        guard let holder = holders.count == 1 ? holders[0] : holders.randomElement(using: &generator) else {
            return nil
        }
        let piece = Offset(start.rawValue + UInt64(settings.pieceReadings))
        return (start..<min(piece, holder.ranges.end(of: start), want.end(of: start)), holder.node)
    }

    /// Forgets a request; what it was for is wanted again.
    mutating func drop(_ fetch: Fetch) {
        fetches.removeAll { $0.id == fetch.id }
        update(fetch.log) { $0.underway.remove(fetch.range) }
    }

    /// What has been waited for in vain.
    mutating func expire(_ now: MonotonicInstant, _ generator: inout some RandomNumberGenerator) {
        if let until = noRoomUntil, until <= now { noRoomUntil = nil }
        if !quiet.isEmpty {
            for peer in quiet {
                if let until = peers[peer]?.quietUntil, until <= now { peers[peer]?.quietUntil = nil }
            }
            let before = quiet.count
            quiet.removeAll { peers[$0]?.quietUntil == nil }
            if quiet.count < before { resume() }
        }
        for fetch in fetches where fetch.deadline <= now {
            counts.unanswered += 1
            drop(fetch)
            leaveAlone(fetch.peer, now, &generator)
            let patience = peers[fetch.peer]?.patience ?? 1
            peers[fetch.peer]?.patience = min(patience + 1, ReplicatorLimits.patience)
        }
        while let oldest = storing.first, oldest.deadline <= now {
            storing.removeFirst()
            update(oldest.log) { $0.underway.subtract(oldest.ranges) }
        }
    }

    /// Half a second after the first failure, twice as long after each further one, a quarter more or less.
    mutating func leaveAlone(
        _ peer: NodeID, _ now: MonotonicInstant, _ generator: inout some RandomNumberGenerator
    ) {
        var manners = peers[peer] ?? PeerManners()
        manners.failures = min(manners.failures + 1, 16)
        let most = Int64(ReplicatorLimits.quietSeconds) * 1000
        let milliseconds = min(250 << Int64(manners.failures), most)
        let jittered = Int64.random(in: milliseconds * 3 / 4...milliseconds * 5 / 4, using: &generator)
        peers[peer] = manners
        silence(peer, until: now.advanced(by: .milliseconds(jittered)))
    }

    mutating func silence(_ peer: NodeID, until moment: MonotonicInstant) {
        var manners = peers[peer] ?? PeerManners()
        if manners.quietUntil == nil { quiet.append(peer) }
        manners.quietUntil = max(manners.quietUntil ?? moment, moment)
        peers[peer] = manners
    }
}
