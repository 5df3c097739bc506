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
        let others = all.ascending(without: node)
        let livingOthers = living.ascending(without: node)
        guard others != known || livingOthers != alive else { return }
        let gone = known.missing(in: others)
        touch(gone + alive.missing(in: livingOthers) + livingOthers.missing(in: alive))
        known = others
        alive = livingOthers
        guard !gone.isEmpty else { return }
        for index in duties.indices { duties[index].peers.removeAll { gone.contains($0.node) } }
        for log in logs.keys.sorted() { logs[log]?.peers.removeAll { gone.contains($0.node) } }
        for peer in gone { versions[peer] = nil }
        let before = sinksOfInterest
        statuses.removeAll { gone.contains($0.node) }
        renewRequired(before: before)
    }

    /// Looks at all keys of which one of the peers holds something, or speaks.
    private mutating func touch(_ peers: [NodeID]) {
        for index in duties.indices {
            let isTheirs = duties[index].peers.contains { peers.contains($0.node) }
            if isTheirs || logs[duties[index].key.log]?.peers.contains(where: { peers.contains($0.node) }) == true {
                touched.append(duties[index].key)
            }
        }
    }

    mutating func setSinks(_ sinks: [SinkStatus], of peer: NodeID) {
        let index = statusPlace(peer)
        let isKnown = index < statuses.count && statuses[index].node == peer
        let told = isKnown ? statuses[index].sinks : []
        guard !isKnown || told != sinks else { return }
        let interest = sinksOfInterest
        if isKnown { statuses[index].sinks = sinks } else { statuses.insert((peer, sinks), at: index) }
        guard peer == node else {
            touch([peer])
            // Most have the same sinks: who requires what is required anyway, and no less than before, changes nothing.
            let (before, after) = (told.filter(\.isRequired).map(\.sink), sinks.filter(\.isRequired).map(\.sink))
            let isSame = before.allSatisfy { after.contains($0) } && after.allSatisfy { required.contains($0) }
            if !isSame { renewRequired(before: interest) }
            return
        }
        mine = [:]
        for status in sinks { mine[status.sink] = status }
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
        touched = duties.map(\.key)
    }

    func isAlive(_ peer: NodeID) -> Bool { alive.position(of: peer).isThere }

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
