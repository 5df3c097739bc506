import Environment
import Model

/// Receipts for those who missed them: a gateway was away for longer than the claim has room, or everybody was.
///
/// A living peer holds readings that the sink is known to have, and its own claim does not say so. After a while for the ordinary proof
/// to arrive, the best of those who hold and know them reads them again and publishes their digest. Without that the peer would upload
/// them once more, as soon as it has the duty.
extension DutyRoster {
    mutating func vouch(_ place: Int, now: MonotonicInstant, _ next: inout [MonotonicInstant]) {
        if let due = duties[place].vouchDue, due > now { return next.append(due) }
        let isDue = duties[place].vouchDue != nil
        duties[place].vouchDue = nil
        guard settings.isClustered, isLagging(place) else { return }
        // A claim has room for some ranges only: of a peer whose claim stays as it is nobody can tell whether receipts still help.
        let pause = settings.vouchPause * (1 << min(duties[place].vouches, Self.mostDoublings))
        let again = now.advanced(by: isDue ? pause : settings.vouchAfter)
        if isDue {
            let missed = missed(place)
            for range in missed { duties[place].own.vouch(range) }
            // With nothing to be done for those that lag, only news can change that.
            guard !missed.isEmpty else { return }
            duties[place].vouches += 1
            unproved.enter(duties[place].key)
        }
        duties[place].vouchDue = again
        next.append(again)
    }

    /// Pauses grow up to 64 times the first, a minute and a half.
    private static let mostDoublings = 6

    private func isLagging(_ place: Int) -> Bool {
        let duty = duties[place]
        guard let log = logs[duty.key.log], !duty.proved.isEmpty else { return false }
        return log.peers.contains { peer, holds in
            isAlive(peer)
                && !(duty.claimed(by: peer) ?? OffsetRanges()).contains(holds.intersection(duty.proved))
        }
    }

    /// Ranges that are proved and held here, and for which a living peer that holds them has no receipt from here.
    private func missed(_ place: Int) -> [Range<Offset>] {
        let duty = duties[place]
        guard let log = logs[duty.key.log] else { return [] }
        let known = log.holds.intersection(duty.proved)
        var ranges: [Range<Offset>] = []
        for (peer, holds) in log.peers where isAlive(peer) {
            var lacking = holds.intersection(known).subtracting(duty.claimed(by: peer) ?? OffsetRanges())
            for entry in duty.own.entries where holds.contains(entry.receipt.range) {
                lacking.remove(entry.receipt.range)
            }
            for range in duty.own.unsigned + duty.own.vouched { lacking.remove(range) }
            for (other, held) in log.peers where other != peer && isAlive(other) {
                guard isBetter(other, than: node, duty.key), let claimed = duty.claimed(by: other) else { continue }
                lacking.subtract(held.intersection(claimed))
            }
            for range in lacking.ranges where ranges.count < settings.vouchedAtOnce {
                let size = UInt64(UploadClaim.receiptReadings)
                let end = Offset((range.lowerBound.rawValue / size + 1) * size)
                let piece = range.lowerBound..<min(range.upperBound, end)
                if !ranges.contains(piece), !log.unreadable.contains(piece) { ranges.append(piece) }
            }
        }
        return ranges
    }
}
