import Environment
import Model

/// Which readings a sink has.
///
/// | a receipt of a peer, dead or alive | then |
/// |---|---|
/// | its range is proved already, or it says refused and nothing of it is pending | nothing |
/// | this gateway holds its range wholly | the range is read, and its digest compared |
/// | - equal | the range is proved: the sink has what is held here; or, where it says so, refused just that |
/// | - equal, by one who says taken and by another who says refused | the sink has it |
/// | - not equal | alarm; the receipt counts no more; the readings stay pending until something else proves them |
/// | - could not be read | as if not held, until what is held changes |
/// | this gateway lacks a part of its range | looked at again when more is held |
///
/// What a peer merely says to be settled, without a receipt that matches, proves nothing. So no claim, however old, repeated or
/// invented, settles readings that its writer does not know.
extension DutyRoster {
    mutating func hear(
        _ claim: UploadClaim?, of key: UploadKey, from peer: NodeID, now: MonotonicInstant, _ out: inout [DutyDirective]
    ) {
        guard let claim else {
            if let place = places[key] { duties[place].peers.removeAll { $0.node == peer } }
            touched.append(key)
            return
        }
        guard places[key] != nil || duties.count < settings.mostKeys else { return }
        let place = place(key)
        // After a restart the turns go on where they were.
        if peer == node { duties[place].turn = max(duties[place].turn, claim.turn) }
        let duty = duties[place]
        var isNews = false
        duties[place].edit(peer) { uploads in
            if uploads.turn != claim.turn || uploads.isWorking != claim.isWorking { uploads.spokeAt = now }
            uploads.turn = claim.turn
            uploads.isWorking = claim.isWorking
            uploads.quietUntil =
                claim.waitSeconds > 0 ? now.advanced(by: .seconds(Int64(claim.waitSeconds))) : nil
            isNews = uploads.ranges != claim.ranges
            uploads.ranges = claim.ranges
            let isHeard = uploads.wrong.count < settings.mostFalse
            uploads.receipts =
                isHeard
                ? claim.receipts.filter { !duty.knows($0) && !uploads.wrong.contains($0) } : []
        }
        if isNews { duties[place].vouches = 0 }
        if isNews, claim.isWorking, peer != node { out.append(.reached(key.sink)) }
        unproved.enter(key)
        touched.append(key)
    }

    /// A sink took it from here, or is known to have it or not to want it.
    mutating func settle(_ key: UploadKey, _ ranges: OffsetRanges, isUploaded: Bool, now: MonotonicInstant) {
        let place = place(key)
        if isUploaded {
            for range in ranges.ranges where !duties[place].proved.contains(range) {
                duties[place].prove(range)
                claim(place, at: now.advanced(by: settings.quietInterval))
            }
        } else if !duties[place].done.contains(ranges) {
            duties[place].done.formUnion(ranges)
            claim(place, at: now.advanced(by: settings.quietInterval))
        }
        touched.append(key)
    }

    /// What was gone is here again.
    mutating func restore(_ key: UploadKey, _ ranges: OffsetRanges) {
        guard let place = places[key] else { return }
        duties[place].done.subtract(ranges.subtracting(duties[place].proved))
        unproved.enter(key)
        touched.append(key)
    }

    mutating func accept(_ key: UploadKey, _ range: Range<Offset>, _ digest: UInt64?, now: MonotonicInstant) {
        guard !range.isEmpty else { return }
        precondition(
            range.length <= UInt64(UploadClaim.receiptReadings), "an upload of \(range.length) readings at once")
        let place = place(key)
        duties[place].prove(range)
        duties[place].isAllowanceUsed = true
        if let digest {
            duties[place].own.add(UploadReceipt(range: range, digest: digest))
        } else {
            duties[place].own.add(range)
            unproved.enter(key)
        }
        claim(place, at: now)
        touched.append(key)
    }

    mutating func refuse(_ key: UploadKey, _ range: Range<Offset>, now: MonotonicInstant) {
        guard !range.isEmpty else { return }
        precondition(
            range.length <= UInt64(UploadClaim.receiptReadings), "\(range.length) readings refused at once")
        let place = place(key)
        duties[place].refuse(range)
        duties[place].isAllowanceUsed = true
        touched.append(key)
        // Alone there is nobody to tell.
        guard settings.isClustered else { return }
        duties[place].own.addRefused(range)
        unproved.enter(key)
    }

    /// Asks for digests while reads may be under way, by turns over the keys.
    mutating func askForDigests(_ out: inout [DutyDirective]) {
        while reading.count < settings.digestsInFlight, !unproved.isEmpty {
            var index = lastProved.map { unproved.place(of: $0) } ?? 0
            if index < unproved.count, unproved[index] == lastProved { index += 1 }
            let key = unproved[index < unproved.count ? index : 0]
            guard let range = readable(key) else {
                unproved.leave(key)
                continue
            }
            lastProved = key
            reading.append((key.log, range))
            out.append(.digest(key.log, range))
        }
    }

    /// A range of which a digest is needed and can be had, and is not under way.
    private func readable(_ key: UploadKey) -> Range<Offset>? {
        guard let place = places[key], isOfInterest(key.sink) else { return nil }
        for range in duties[place].own.unsigned + duties[place].own.vouched where !isReading(key.log, range) {
            return range
        }
        // A reading may be refused before it is durable; then its digest comes with what is held next.
        for range in duties[place].own.unsignedRefusals where !isReading(key.log, range) {
            if logs[key.log]?.holds.contains(range) == true { return range }
        }
        return provable(place) { !isReading(key.log, $0) }
    }

    private func isReading(_ log: LogName, _ range: Range<Offset>) -> Bool {
        reading.contains { $0.log == log && $0.range == range }
    }

    /// The range of a peer's receipt that is held wholly and not proved yet.
    private func provable(_ place: Int, where isWanted: (Range<Offset>) -> Bool) -> Range<Offset>? {
        guard let log = logs[duties[place].key.log], !log.holds.isEmpty else { return nil }
        for peer in duties[place].peers {
            for receipt in peer.receipts where log.holds.contains(receipt.range) {
                if !log.unreadable.contains(receipt.range), isWanted(receipt.range) { return receipt.range }
            }
        }
        return nil
    }

    /// Whether a proof is under way or waits for its turn.
    func awaitsProof(_ place: Int) -> Bool {
        isOfInterest(duties[place].key.sink) && provable(place) { _ in true } != nil
    }

    mutating func compare(
        _ log: LogName, _ range: Range<Offset>, _ digest: UInt64?, now: MonotonicInstant, _ out: inout [DutyDirective]
    ) {
        guard let index = reading.firstIndex(where: { $0.log == log && $0.range == range }) else { return }
        reading.remove(at: index)
        guard logs[log] != nil else { return }
        if digest == nil { logs[log]?.unreadable.append(range) }
        for sink in logs[log]?.sinks ?? [] {
            let key = UploadKey(sink: sink, log: log)
            guard let place = places[key] else { continue }
            if duties[place].own.sign(range, digest) { claim(place, at: now) }
            if let digest { compare(place, range, digest, now: now, &out) }
            touched.append(key)
            unproved.enter(key)
        }
    }

    private mutating func compare(
        _ place: Int, _ range: Range<Offset>, _ digest: UInt64, now: MonotonicInstant, _ out: inout [DutyDirective]
    ) {
        let key = duties[place].key
        var isProved = false
        var isRefused = false
        for index in duties[place].peers.indices {
            for receipt in duties[place].peers[index].receipts where receipt.range == range {
                if receipt.digest == digest {
                    if receipt.isRefused { isRefused = true } else { isProved = true }
                } else {
                    duties[place].peers[index].wrong.append(receipt)
                    let (low, high) = (range.lowerBound, range.upperBound)
                    out.append(
                        .alarm(
                            """
                            the receipt of \(duties[place].peers[index].node) for \(key.log) \(low)..<\(high) at sink \(key.sink) does \
                            not match what is held here
                            """))
                }
            }
            duties[place].peers[index].receipts.removeAll { $0.range == range }
        }
        guard isProved || isRefused else { return }
        if isProved { duties[place].prove(range) } else { duties[place].refuse(range) }
        claim(place, at: now.advanced(by: settings.quietInterval))
        if mine[key.sink] != nil { out.append(.settle(key.sink, key.log, range, isRefused: !isProved)) }
    }
}
