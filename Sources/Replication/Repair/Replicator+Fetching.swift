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
        let wants = lane == .fresh ? freshQueue.wants : backfillQueue.wants
        for want in wants.prefix(ReplicatorLimits.looks) {
            guard let (range, peer) = choose(want.log, lane, &generator) else { continue }
            let id = FetchID(generator.next())
            let manners = peers[peer] ?? PeerManners()
            let patience =
                (lane == .fresh ? settings.freshTimeout : settings.timeout)
                * min(1 + manners.failures, ReplicatorLimits.patience)
            fetches.append(
                Fetch(
                    id: id, log: want.log, range: range, peer: peer, lane: lane,
                    deadline: now.advanced(by: patience)))
            update(want.log) { $0.underway.insert(range) }
            plan(&directives)
            directives.append(.frame(ReplicationFrame.request(id, want.log, range).encoded, to: peer))
            return true
        }
        return false
    }

    /// What to ask for next of a log, and whom: of back-fill what the fewest hold, of fresh readings the oldest; the holder
    /// that has least to do for us.
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
            quiet.removeAll { peers[$0]?.quietUntil == nil }
        }
        for fetch in fetches where fetch.deadline <= now {
            counts.unanswered += 1
            drop(fetch)
            leaveAlone(fetch.peer, now, &generator)
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
