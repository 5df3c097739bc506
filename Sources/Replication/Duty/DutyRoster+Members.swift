import Environment
import Model

/// Who is there, and which sinks they have.
extension DutyRoster {
    /// Sinks of this gateway, and those that anybody requires; sorted.
    var sinksOfInterest: [SinkID] {
        let own = statuses(of: node)?.map(\.sink) ?? []
        return (required + own.filter { !required.contains($0) }).sorted()
    }

    func isOfInterest(_ sink: SinkID) -> Bool { mine[sink] != nil || required.contains(sink) }

    mutating func setMembers(alive living: [NodeID], known all: [NodeID]) {
        let others = all.filter { $0 != node }.sorted()
        let livingOthers = living.filter { $0 != node }.sorted()
        guard others != known || livingOthers != alive else { return }
        let here = Set(others)
        let gone = known.filter { !here.contains($0) }
        known = others
        alive = livingOthers
        if !gone.isEmpty {
            for index in duties.indices { duties[index].peers.removeAll { gone.contains($0.node) } }
            for log in logs.keys.sorted() { logs[log]?.peers.removeAll { gone.contains($0.node) } }
            for peer in gone { versions[peer] = nil }
            statuses.removeAll { gone.contains($0.node) }
            renewRequired(before: sinksOfInterest)
        }
        touched = duties.map(\.key)
    }

    mutating func setSinks(_ sinks: [SinkStatus], of peer: NodeID) {
        let interest = sinksOfInterest
        let index = statusPlace(peer)
        if index < statuses.count, statuses[index].node == peer {
            guard statuses[index].sinks != sinks else { return }
            statuses[index].sinks = sinks
        } else {
            statuses.insert((peer, sinks), at: index)
        }
        if peer == node {
            mine = [:]
            for status in sinks { mine[status.sink] = status }
        }
        renewRequired(before: interest)
        touched = duties.map(\.key)
    }

    private mutating func renewRequired(before: [SinkID]) {
        var union: [SinkID] = []
        for peer in statuses {
            for status in peer.sinks where status.isRequired && !union.contains(status.sink) {
                union.append(status.sink)
            }
        }
        required = union.sorted()
        let interest = sinksOfInterest
        guard interest != before else { return }
        for log in logs.keys.sorted() where logs[log]?.holds.isEmpty == false {
            for sink in interest { _ = place(UploadKey(sink: sink, log: log)) }
        }
        for duty in duties where duty.peers.contains(where: { !$0.receipts.isEmpty }) { unproved.enter(duty.key) }
    }

    func isAlive(_ peer: NodeID) -> Bool { alive.place(of: peer).isThere }

    /// Whether a living peer may reach the sink. One that has not said yet might.
    func reaches(_ peer: NodeID, _ sink: SinkID) -> Bool {
        guard let sinks = statuses(of: peer) else { return true }
        return sinks.contains { $0.sink == sink && $0.isReachable }
    }

    private func statuses(of peer: NodeID) -> [SinkStatus]? {
        let index = statusPlace(peer)
        return index < statuses.count && statuses[index].node == peer ? statuses[index].sinks : nil
    }

    /// Where the peer is in ``statuses``, which are sorted, or would be.
    private func statusPlace(_ peer: NodeID) -> Int {
        var (low, high) = (0, statuses.count)
        while low < high {
            let middle = (low + high) / 2
            if statuses[middle].node < peer { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
