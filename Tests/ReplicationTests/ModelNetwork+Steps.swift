import Environment
import Model
import Replication

extension ModelNetwork {
    mutating func run(_ duration: Duration) {
        let end = now.advanced(by: duration)
        while let next = queue.first, next.at <= end {
            queue.removeFirst()
            now = next.at
            deliver(next.message, to: next.site)
        }
        now = end
    }

    private mutating func deliver(_ message: Message, to site: Int) {
        guard sites[site].isUp else { return }
        switch message {
        case .frame(let bytes, let sender):
            if case .answer(let id, _, _, _)? = try? ReplicationFrame(decoding: bytes) {
                sites[site].inFlight.remove(id)
            }
            send(.frame(bytes, from: gateway(sender)), to: site)
        case .unreachable(let peer): send(.unreachable(gateway(peer)), to: site)
        case .claim(let peer, let log): tellClaim(of: peer, log, to: site)
        case .read(let id, let log, let range): send(.chunkRead(id, read(log, range, at: site)), to: site)
        case .kept(let id): send(.holdKept(id), to: site)
        case .tick:
            guard let wake = sites[site].wake, wake <= now else { return }
            sites[site].wake = nil
            send(.tick, to: site)
        case .commit:
            let waiting = sites[site].waiting
            sites[site].waiting = []
            for (log, ranges) in waiting {
                for range in ranges.ranges {
                    sites[site].durable[log, default: OffsetRanges()].insert(range)
                    send(.held(log, range), to: site)
                }
            }
            post(.commit, to: site, after: .milliseconds(500))
        }
    }

    private mutating func tellClaim(of peer: Int, _ log: LogName, to site: Int) {
        guard canReach(site, peer) else { return post(.claim(of: peer, log), to: site, after: .seconds(1)) }
        send(.claim(of: gateway(peer), log, sites[peer].claims[log]), to: site)
    }

    /// At most 300 readings fit a chunk.
    private func read(_ log: LogName, _ range: Range<Offset>, at site: Int) -> ChunkOutcome {
        let covered = range.lowerBound..<min(range.upperBound, range.lowerBound.advanced(by: 300))
        let held = (sites[site].durable[log] ?? OffsetRanges()).intersection(covered)
        var bytes: [UInt8] = []
        if !held.isEmpty {
            held.append(to: &bytes, limit: ReplicatorLimits.ranges)
            bytes.append(contentsOf: repeatElement(0, count: padding))
        }
        return .chunk(covered: covered, missing: OffsetRanges(covered).subtracting(held), bytes: bytes)
    }

    mutating func perform(_ directive: ReplicationDirective, at site: Int) {
        switch directive {
        case .frame(let bytes, let peer): carry(bytes, from: site, to: Int(peer.low))
        case .read(let id, let log, let range, _):
            post(.read(id, log, range), to: site, after: .milliseconds(Int.random(in: 1...10, using: &random)))
        case .store(let id, let log, let bytes, let ranges): store(id, log, bytes, ranges, at: site)
        case .publish(let log, let holdings):
            let held = sites[site].durable[log] ?? OffsetRanges()
            if !held.contains(holdings.ranges) { faults.append("\(site) claims \(holdings.ranges) of \(held)") }
            spread(holdings, log, from: site)
        case .withdraw(let log): spread(nil, log, from: site)
        case .release(let log, let ranges): drop(log, ranges, at: site)
        case .retain: break
        case .keepHold(let id, _, _): post(.kept(id), to: site, after: .milliseconds(30))
        case .wake(let moment):
            if moment <= now { faults.append("\(site) wants a tick in the past") }
            sites[site].wake = moment
            post(.tick, to: site, after: max(.zero, now.duration(to: moment)))
        case .alarm(let text): faults.append(text)
        }
    }

    /// The ring takes the offer to evict what is surplus at once.
    private mutating func drop(_ log: LogName, _ ranges: OffsetRanges, at site: Int) {
        for range in ranges.ranges {
            sites[site].durable[log]?.remove(range)
            let others = sites.count { $0.durable[log]?.contains(range) ?? false }
            let wanted = sites[site].replicator.copies
            if others < wanted { faults.append("\(site) let go of \(log) \(range) with \(others) copies left") }
            send(.lost(log, range, .released), to: site)
        }
    }

    private mutating func spread(_ holdings: Holdings?, _ log: LogName, from site: Int) {
        sites[site].claims[log] = holdings
        for other in sites.indices where other != site {
            post(.claim(of: site, log), to: other, after: latency())
        }
    }

    private mutating func carry(_ bytes: [UInt8], from site: Int, to peer: Int) {
        if case .request(let id, let log, let range)? = try? ReplicationFrame(decoding: bytes) {
            check(id, log, range, at: site)
        }
        guard sites[peer].isUp, canReach(site, peer) else {
            hasLost = true
            return post(.unreachable(peer), to: site, after: .milliseconds(200))
        }
        if Int.random(in: 0..<100, using: &random) >= loss {
            post(.frame(bytes, from: site), to: peer, after: latency())
        } else {
            hasLost = true
        }
        if Int.random(in: 0..<100, using: &random) < doubling {
            post(.frame(bytes, from: site), to: peer, after: latency() * 3)
        }
    }

    private mutating func check(_ id: FetchID, _ log: LogName, _ range: Range<Offset>, at site: Int) {
        let here = sites[site].durable[log] ?? OffsetRanges()
        if !here.intersection(range).isEmpty { faults.append("\(site) asks for \(range) and has \(here)") }
        for (other, ranges) in sites[site].waiting where other == log && !ranges.intersection(range).isEmpty {
            faults.append("\(site) asks for \(range) while it is stored")
        }
        if let settled = settled[log], range.lowerBound < settled { faults.append("\(site) asks for settled \(range)") }
        if sites[site].minted.contains(log) { faults.append("\(site) asks for its own \(log)") }
        if !sites[site].hasRoom { faults.append("\(site) asks without room") }
        sites[site].inFlight.insert(id)
        // Until one is lost, every request ends in an answer.
        if !hasLost, sites[site].inFlight.count > ReplicatorLimits.inFlight {
            faults.append("\(site) has \(sites[site].inFlight.count) in flight")
        }
    }

    private mutating func store(
        _ id: FetchID, _ log: LogName, _ bytes: [UInt8], _ ranges: OffsetRanges, at site: Int
    ) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard let chunk = try? OffsetRanges(from: &reader, limit: ReplicatorLimits.ranges), chunk.contains(ranges)
        else {
            faults.append("\(site) got a chunk that lacks \(ranges)")
            return send(.refused(id, .damaged), to: site)
        }
        if Int.random(in: 0..<100, using: &random) < refusals { return send(.refused(id, .noRoom), to: site) }
        doubles += ranges.intersection(sites[site].durable[log] ?? OffsetRanges()).readings
        sites[site].waiting.append((log, ranges))
    }
}
