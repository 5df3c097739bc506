import Environment
import Model

/// Who uploads one log to one sink.
///
/// Candidates are alive, reach the sink, and hold readings that the sink does not have as far as they say. The log's own node is the
/// first of them, the others follow by rendezvous hash.
///
/// | this gateway | and | then |
/// |---|---|---|
/// | is the log's own node | the log is of this process, or it is alive for 10 s | starts; never stops, as its tries alone find out when the sink is back |
/// | - | holds nothing of it (any more, or not yet again) | stops |
/// | - | a living peer says that a part of what is pending here was uploaded | waits for the proof, a minute at most |
/// | - | another works on it | says so first, and starts when that one has stopped, after 5 s at the latest |
/// | any other | is no candidate | stops |
/// | works | a better one that lives has spoken of working within 5 s | stops |
/// | does not work | anyone that lives has spoken of working within 5 s | waits |
/// | is first of the candidates | work was pending for 1 s | starts |
/// | is r-th after the first | for 5·(r + d) + 1 s nobody has spoken, and work was pending | starts |
///
/// d is how many better ones died at work. Nobody starts while a receipt waits to be proved, nor takes over a peer's log
/// before it is alive for 10 s: it would repeat what it has not heard of yet. A gateway that the sink asked to wait
/// counts as speaking until then.
extension DutyRoster {
    mutating func review(_ key: UploadKey, now: MonotonicInstant, _ out: inout [DutyDirective]) {
        guard let place = places[key] else { return }
        var next: [MonotonicInstant] = []
        decide(place, now: now, &next, &out)
        allow(place, now: now, &next, &out)
        vouch(place, now: now, &next)
        speak(place, now: now, &next, &out)
        schedule(place, at: next.min())
    }

    private mutating func decide(
        _ place: Int, now: MonotonicInstant, _ next: inout [MonotonicInstant], _ out: inout [DutyDirective]
    ) {
        let key = duties[place].key
        let isPending = logs[key.log].map { !duties[place].done.contains($0.holds) } ?? false
        if !isPending {
            duties[place].pendingSince = nil
        } else if duties[place].pendingSince == nil {
            duties[place].pendingSince = now
        }
        guard let status = mine[key.sink] else { return stop(place, &out) }
        if key.log.node == node {
            if logs[key.log]?.isHere ?? false {
                startOwn(place, now: now, &next, &out)
            } else {
                duties[place].announcedAt = nil
                stop(place, &out)
            }
        } else if !isPending || !status.isReachable {
            stop(place, &out)
        } else {
            relieve(place, now: now, &next, &out)
        }
        let isOnDuty = duties[place].isStarted || duties[place].announcedAt != nil
        let isWorking = isOnDuty && isPending && status.isReachable
        if isWorking != duties[place].isWorking {
            duties[place].isWorking = isWorking
            // What is over is told at once, and what takes over from another. Else the first receipt or turn tells of it.
            let canWait = isWorking && key.log.node == node && !isContested(place)
            claim(place, at: canWait ? now.advanced(by: settings.turnInterval) : now)
        }
    }

    private mutating func startOwn(
        _ place: Int, now: MonotonicInstant, _ next: inout [MonotonicInstant], _ out: inout [DutyDirective]
    ) {
        guard !duties[place].isStarted else { return }
        if settings.isClustered, logs[duties[place].key.log]?.isNew != true {
            let returned = ripe(now)
            guard returned <= now else { return next.append(returned) }
            let patience = returned.advanced(by: settings.doubtWait)
            if patience > now, lacksProof(place) { return next.append(patience) }
            if awaitsProof(place) { return }
            if rivals(place, now: now).contains(where: \.isActive) {
                let announcedAt = duties[place].announcedAt ?? now
                duties[place].announcedAt = announcedAt
                let limit = announcedAt.advanced(by: settings.turnLife)
                if limit > now { return next.append(limit) }
            }
        }
        start(place, now: now, &next, &out)
    }

    private mutating func relieve(
        _ place: Int, now: MonotonicInstant, _ next: inout [MonotonicInstant], _ out: inout [DutyDirective]
    ) {
        let rivals = rivals(place, now: now)
        if duties[place].isStarted {
            if rivals.contains(where: { $0.isBetter && $0.isActive }) { stop(place, &out) }
            return
        }
        let pendingSince = duties[place].pendingSince ?? now
        var at = max(ripe(now), pendingSince.advanced(by: settings.grace))
        for rival in rivals where rival.isActive {
            at = max(at, (rival.silentSince ?? now).advanced(by: settings.turnLife))
        }
        let rank = rivals.count { $0.isBetter && $0.isCandidate }
        if rank > 0 {
            let fallen = fallen(place)
            let since = (rivals.compactMap(\.silentSince) + fallen.compactMap(\.spokeAt)).max() ?? pendingSince
            let places = rank + fallen.count { $0.isWorking && isBetter($0.node, than: node, duties[place].key) }
            let silence = settings.rankWait * places + settings.grace
            at = max(at, max(since, pendingSince).advanced(by: silence))
        }
        if isDoubtful(place) { at = max(at, pendingSince.advanced(by: settings.doubtWait)) }
        guard at <= now else { return next.append(at) }
        if !awaitsProof(place) { start(place, now: now, &next, &out) }
    }

    /// When this gateway is alive for long enough to know what others do.
    private func ripe(_ now: MonotonicInstant) -> MonotonicInstant {
        settings.isClustered ? (bornAt ?? now).advanced(by: settings.returnAfter) : now
    }

    /// Whether all that is pending here was uploaded, as known peers say, and only the proof is missing.
    private func isDoubtful(_ place: Int) -> Bool {
        var pending = pending(place)
        for peer in duties[place].peers where peer.wrong.isEmpty {
            if pending.isEmpty { break }
            pending.subtract(peer.ranges)
        }
        return pending.isEmpty
    }

    /// Whether a living peer says that a part of what is pending here was uploaded: it gives receipts anew. What this gateway uploaded
    /// last before its power failed is known to its peers alone.
    private func lacksProof(_ place: Int) -> Bool {
        let pending = pending(place)
        return duties[place].peers.contains { peer in
            peer.wrong.isEmpty && isAlive(peer.node) && !peer.ranges.intersection(pending).isEmpty
        }
    }

    /// What is held here and still needs an upload.
    private func pending(_ place: Int) -> OffsetRanges {
        (logs[duties[place].key.log]?.holds ?? OffsetRanges()).subtracting(duties[place].done)
    }

    private mutating func start(
        _ place: Int, now: MonotonicInstant, _ next: inout [MonotonicInstant], _ out: inout [DutyDirective]
    ) {
        let key = duties[place].key
        duties[place].isStarted = true
        duties[place].announcedAt = nil
        duties[place].isAllowanceUsed = true
        allow(place, now: now, &next, &out)
        out.append(.start(key.sink, key.log))
    }

    private func isContested(_ place: Int) -> Bool {
        duties[place].peers.contains { $0.isWorking && isAlive($0.node) }
    }

    private mutating func stop(_ place: Int, _ out: inout [DutyDirective]) {
        guard duties[place].isStarted else { return }
        let key = duties[place].key
        duties[place].isStarted = false
        duties[place].toldAllowance = nil
        duties[place].heldUpSince = nil
        throttled.leave(key)
        out.append(.stop(key.sink, key.log))
    }

    struct Rival {
        let node: NodeID
        let isBetter: Bool
        let isActive: Bool
        let isCandidate: Bool
        let silentSince: MonotonicInstant?
    }

    /// Peers that spoke of the log and are dead. Not all learn of a death at the same moment: whoever died at work keeps
    /// its place among the ranks, and its last word counts. Else a worse rank that knows of the death would start
    /// together with a better one.
    private func fallen(_ place: Int) -> [PeerUploads] {
        duties[place].peers.filter { $0.node != node && !isAlive($0.node) }
    }

    /// Living peers that hold something of the log, or speak of it.
    private func rivals(_ place: Int, now: MonotonicInstant) -> [Rival] {
        let duty = duties[place]
        let pending = pending(place)
        let holders = logs[duty.key.log]?.peers ?? []
        var rivals: [Rival] = []
        for holder in holders where isAlive(holder.node) {
            let peer = duty.peer(holder.node)
            rivals.append(rival(holder.node, peer, holds: holder.holds, pending, duty.key, now: now))
        }
        for peer in duty.peers where isAlive(peer.node) && !holders.contains(where: { $0.node == peer.node }) {
            rivals.append(rival(peer.node, peer, holds: OffsetRanges(), pending, duty.key, now: now))
        }
        return rivals
    }

    private func rival(
        _ peer: NodeID, _ uploads: PeerUploads?, holds: OffsetRanges, _ pending: OffsetRanges, _ key: UploadKey,
        now: MonotonicInstant
    ) -> Rival {
        let isReaching = reaches(peer, key.sink)
        let isActive = isReaching && uploads?.isActive(now, life: settings.turnLife) ?? false
        let claimed = uploads?.ranges ?? OffsetRanges()
        // What is here of a log came from its own node, which has it too, whether or not its word of that has come.
        let isOrigin = peer == key.log.node && !holds.isEmpty
        let isPending = !claimed.contains(holds) || isOrigin && !claimed.contains(pending)
        return Rival(
            node: peer, isBetter: isBetter(peer, than: node, key), isActive: isActive,
            isCandidate: isReaching && (isPending || isActive), silentSince: uploads?.silentSince)
    }

    func isBetter(_ one: NodeID, than other: NodeID, _ key: UploadKey) -> Bool {
        if one == key.log.node || other == key.log.node { return one == key.log.node }
        let (left, right) = (weight(one, key), weight(other, key))
        return left == right ? one < other : left > right
    }

    private func weight(_ peer: NodeID, _ key: UploadKey) -> UInt64 {
        rendezvous(key.sink.rawValue, key.log.node.high, key.log.node.low, key.log.log.rawValue, node: peer)
    }
}
