import Environment
import Model

/// What this gateway says of its uploads, and how far it may run ahead of what others know.
///
/// | news | told |
/// |---|---|
/// | a receipt | at once, but 250 ms after the claim before at the earliest |
/// | work goes on | 2 s after the claim before, with the next turn; while the sink asks to wait, once and then at its end |
/// | work has ended | at once |
/// | what a peer uploaded, or was refused, is proved | after 5 s |
extension DutyRoster {
    mutating func claim(_ place: Int, at moment: MonotonicInstant) {
        duties[place].claim(at: moment, settings: settings)
    }

    mutating func wait(_ sink: SinkID, until: MonotonicInstant?, now: MonotonicInstant) {
        guard waits[sink] != until else { return }
        waits[sink] = until
        for place in duties.indices where duties[place].key.sink == sink && duties[place].isWorking {
            claim(place, at: now)
            touched.append(duties[place].key)
        }
    }

    mutating func speak(
        _ place: Int, now: MonotonicInstant, _ next: inout [MonotonicInstant], _ out: inout [DutyDirective]
    ) {
        // Alone there is nobody to tell; whoever turns up hears it then.
        guard settings.isClustered, let due = duties[place].claimDue else { return }
        guard due <= now else { return next.append(due) }
        let key = duties[place].key
        let isWorking = duties[place].isWorking
        if isWorking { duties[place].turn &+= 1 }
        duties[place].own.told()
        duties[place].lastClaim = now
        duties[place].claimDue = nil
        out.append(.publish(key, writtenClaim(place, now: now)))
        guard isWorking else { return }
        let turn = now.advanced(by: settings.turnInterval)
        claim(place, at: max(turn, waits[key.sink] ?? turn))
        if let due = duties[place].claimDue { next.append(due) }
    }

    private func writtenClaim(_ place: Int, now: MonotonicInstant) -> UploadClaim {
        let duty = duties[place]
        var claim = UploadClaim()
        claim.watermark = duty.done.prefixEnd
        var above = duty.done
        above.remove(below: claim.watermark)
        claim.settled = above.bounded(to: UploadClaim.mostSettled)
        claim.receipts = duty.own.entries.map(\.receipt)
        claim.turn = duty.turn
        claim.isWorking = duty.isWorking
        if duty.isWorking, let until = waits[duty.key.sink], until > now {
            let nanoseconds = min(now.duration(to: until).nanoseconds, Int64(UploadClaim.mostWait) * 1_000_000_000)
            claim.waitSeconds = UInt32((nanoseconds + 999_999_999) / 1_000_000_000)
        }
        return claim
    }

    /// The gateway that would go on if this one fell silent: the best of the others that live, reach the sink and hold something of
    /// the log, and are fit. What it has not heard of is what it would repeat.
    private func successor(_ place: Int, where isFit: (NodeID) -> Bool = { _ in true }) -> NodeID? {
        let key = duties[place].key
        var best: NodeID?
        for (peer, _) in logs[key.log]?.peers ?? [] where isAlive(peer) && reaches(peer, key.sink) && isFit(peer) {
            if best.map({ isBetter(peer, than: $0, key) }) ?? true { best = peer }
        }
        return best
    }

    private func chunksUnknown(_ place: Int, to peer: NodeID) -> Int {
        duties[place].own.chunksUnknown(at: versions[peer] ?? 0, chunk: settings.chunkReadings)
    }

    /// Chunks of which the next in rank lacks the receipts; `nil` where there is nobody. One that lives, as others say, and gives no
    /// word here for long is cut off from this gateway alone: the next that does hear takes its place, or the log would stand still for
    /// as long as the cut lasts.
    private mutating func chunksUnknown(
        _ place: Int, now: MonotonicInstant, _ next: inout [MonotonicInstant]
    ) -> Int? {
        guard let first = successor(place) else { return nil }
        let unknown = chunksUnknown(place, to: first)
        guard unknown >= settings.chunksUnknown else {
            duties[place].heldUpSince = nil
            return unknown
        }
        let since = duties[place].heldUpSince ?? now
        duties[place].heldUpSince = since
        let limit = since.advanced(by: settings.deafAfter)
        if limit > now {
            next.append(limit)
            return unknown
        }
        let hearing = successor(place) { chunksUnknown(place, to: $0) < settings.chunksUnknown }
        return hearing.map { chunksUnknown(place, to: $0) } ?? unknown
    }

    mutating func allow(
        _ place: Int, now: MonotonicInstant, _ next: inout [MonotonicInstant], _ out: inout [DutyDirective]
    ) {
        guard duties[place].isStarted else { return }
        let key = duties[place].key
        var allowance = KeyDuty.Allowance.unlimited
        if let unknown = chunksUnknown(place, now: now, &next) {
            allowance = .chunks(max(settings.chunksUnknown - unknown, 0))
            if unknown > 0 { throttled.enter(key) } else { throttled.leave(key) }
        } else {
            duties[place].heldUpSince = nil
            throttled.leave(key)
        }
        let isUsed = duties[place].isAllowanceUsed && allowance != .unlimited
        duties[place].isAllowanceUsed = false
        guard isUsed || allowance != duties[place].toldAllowance else { return }
        duties[place].toldAllowance = allowance
        switch allowance {
        case .unlimited: out.append(.allow(key.sink, key.log, chunks: nil))
        case .chunks(let count): out.append(.allow(key.sink, key.log, chunks: count))
        }
    }
}
