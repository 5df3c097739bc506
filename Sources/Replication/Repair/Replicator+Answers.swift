import Environment
import Model

/// What becomes of requests.
extension Replicator {
    mutating func receive(
        _ bytes: [UInt8], from peer: NodeID, _ now: MonotonicInstant,
        _ directives: inout [ReplicationDirective], _ generator: inout some RandomNumberGenerator
    ) {
        guard peer != node, let frame = try? ReplicationFrame(decoding: bytes) else {
            counts.malformed += 1
            return
        }
        switch frame {
        case .request(let id, let log, let range): serve(id, log, range, to: peer, &directives)
        case .answer(let id, let covered, let missing, let bytes):
            guard let fetch = fetches.first(where: { $0.id == id && $0.peer == peer }) else {
                counts.late += 1
                return
            }
            take(fetch, covered, missing, bytes, now, &directives, &generator)
        case .busy(let id):
            guard let fetch = fetches.first(where: { $0.id == id && $0.peer == peer }) else { return }
            drop(fetch)
            silence(peer, until: now.advanced(by: .milliseconds(ReplicatorLimits.busyMilliseconds)))
        case .holdRequest(let id, let log, let ranges): keep(id, log, ranges, for: peer, &directives)
        case .holdGranted(let id, let log, let ranges): noteGrant(id, log, ranges, from: peer, now, &directives)
        }
    }

    private mutating func take(
        _ fetch: Fetch, _ covered: Range<Offset>, _ missing: OffsetRanges, _ bytes: [UInt8],
        _ now: MonotonicInstant, _ directives: inout [ReplicationDirective],
        _ generator: inout some RandomNumberGenerator
    ) {
        drop(fetch)
        if let manners = peers[fetch.peer], manners.patience > 1,
            fetch.sent.duration(to: now) * 2 < fetch.sent.duration(to: fetch.deadline)
        {
            peers[fetch.peer]?.patience = manners.patience - 1
        }
        let got = OffsetRanges(covered).subtracting(missing)
        guard covered.lowerBound == fetch.range.lowerBound, covered.upperBound <= fetch.range.upperBound,
            got.isEmpty == bytes.isEmpty
        else {
            counts.malformed += 1
            return leaveAlone(fetch.peer, now, &generator)
        }
        if !missing.isEmpty { discount(missing, of: fetch.peer, fetch.log) }
        guard !got.isEmpty else {
            peers[fetch.peer]?.failures = 0
            return
        }
        counts.fetchedChunks += 1
        counts.fetchedBytes += UInt64(bytes.count)
        counts.fetchedReadings += got.readings
        if fetch.lane == .backfill { bucket.spend(bytes.count) }
        storing.append(
            Storing(
                id: fetch.id, log: fetch.log, ranges: got, peer: fetch.peer,
                deadline: now.advanced(by: .seconds(ReplicatorLimits.storingSeconds))))
        update(fetch.log) { $0.underway.formUnion(got) }
        directives.append(.store(fetch.id, fetch.log, bytes, got))
    }

    mutating func refuse(
        _ id: FetchID, _ refusal: StoreRefusal, _ now: MonotonicInstant,
        _ directives: inout [ReplicationDirective], _ generator: inout some RandomNumberGenerator
    ) {
        guard let index = storing.firstIndex(where: { $0.id == id }) else { return }
        let chunk = storing.remove(at: index)
        update(chunk.log) { $0.underway.subtract(chunk.ranges) }
        switch refusal {
        case .noRoom:
            counts.noRoom += 1
            noRoomUntil = now.advanced(by: .milliseconds(ReplicatorLimits.noRoomMilliseconds << refusals))
            refusals = min(refusals + 1, ReplicatorLimits.noRoomDoublings)
        case .damaged:
            counts.malformed += 1
            leaveAlone(chunk.peer, now, &generator)
            if peers[chunk.peer]?.alarmedAt.map({ $0.duration(to: now) < .seconds(60) }) ?? false { return }
            peers[chunk.peer]?.alarmedAt = now
            directives.append(.alarm("\(chunk.peer) sent a chunk of \(chunk.log) that does not hold what it should"))
        }
    }

    /// Frames to the peer were lost: nothing of what was asked will come.
    mutating func failFetches(
        from peer: NodeID, _ now: MonotonicInstant, _ generator: inout some RandomNumberGenerator
    ) {
        let failed = fetches.filter { $0.peer == peer }
        guard !failed.isEmpty else { return }
        counts.unanswered += UInt64(failed.count)
        for fetch in failed { drop(fetch) }
        leaveAlone(peer, now, &generator)
    }
}
