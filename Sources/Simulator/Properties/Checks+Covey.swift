import Environment
import GatewayCore
import GossipState
import Membership
import Model
import Replication
import RingLog

extension World {
    /// After every step: whose incarnation is what.
    func noteIncarnation(_ gateway: SimulatedGateway) {
        guard let (node, incarnation) = gateway.ask({ $0.identity }) ?? nil else { return }
        guard gateway.lastIncarnation != incarnation || gateway.lastNode != node else { return }
        gateway.lastIncarnation = incarnation
        gateway.lastNode = node
        truth.incarnations[node] = max(truth.incarnations[node] ?? incarnation, incarnation)
    }

    /// After every message of membership: an owner that hears of a lie contradicts it within a second.
    func checkIncarnations(_ gateway: SimulatedGateway) {
        for member in gateway.core?.peers ?? [] {
            guard let raised = truth.incarnations[member.node] else {
                fail(.strangersChangeNothing, gateway, "a member \(member.node) that never was")
                continue
            }
            if member.incarnation > raised {
                fail(.ownIncarnation, gateway, "\(member.node) at \(member.incarnation), it is at \(raised) itself")
            }
        }
    }

    /// Every few seconds: what one gateway believes of the others.
    func checkBeliefs(_ gateway: SimulatedGateway) {
        guard let cluster = gateway.core?.cluster else { return }
        // A clone that goes on under a new name knows nothing yet.
        if gateway.believer != cluster.setup.node { gateway.beliefs = [:] }
        gateway.believer = cluster.setup.node
        for log in cluster.replicator.knownLogs {
            let belief = SimulatedGateway.Belief(
                end: cluster.replicator.end(of: log), isClosed: cluster.replicator.isClosed(log))
            if let before = gateway.beliefs[log] {
                if belief.end < before.end || (before.isClosed && !belief.isClosed) {
                    fail(.nothingGoesBack, gateway, "\(log) ended at \(before.end), now at \(belief.end)")
                }
                if before.isClosed == belief.isClosed, before.end == belief.end { continue }
            }
            gateway.beliefs[log] = belief
        }
    }

    // MARK: At the very end

    /// The covey at rest: all know one another, all know the same, nobody works, hardly anybody speaks, and old packets change nothing.
    func checkQuiet() {
        checkUploaders()
        waitUntil(within: Self.settling) { world in
            world.disagreement == nil && world.contexts.count <= 1 && !world.isAnybodyUploading
        }
        if let text = disagreement { fail(.membersAgree, nil, text) }
        if contexts.count > 1 { fail(.replicasAgree, nil, "\(contexts.count) contexts for one covey") }
        checkSameState()
        guard failures.isEmpty else { return }
        checkTraffic()
        guard failures.isEmpty else { return }
        checkReplay()
    }

    /// Who takes another's state for something else than it is; everybody runs by now.
    private var disagreement: String? {
        let present = gateways.compactMap { $0.core?.cluster?.node }.sorted()
        for gateway in gateways {
            guard let cluster = gateway.core?.cluster else { return "gateway \(gateway.index) is in no covey" }
            let seen = cluster.membership.members.filter { $0.state == .alive }.map(\.node) + [cluster.node]
            if seen.sorted() != present {
                let states = cluster.membership.members.map { "\($0.identity.name) \($0.state)" }
                return "gateway \(gateway.index) sees \(states)"
            }
        }
        return nil
    }

    private var contexts: Set<UInt64> { Set(gateways.compactMap { $0.core?.cluster?.gossip.context }) }

    /// What every gateway reads under every name is the same.
    private func checkSameState() {
        guard failures.isEmpty, let first = gateways.first?.core?.cluster?.gossip else { return }
        for gateway in gateways.dropFirst() {
            guard let gossip = gateway.core?.cluster?.gossip else { continue }
            for space in Self.spaces where gossip.ownEntries(space) != first.ownEntries(space) {
                fail(.replicasAgree, gateway, "space \(space.rawValue) is another than gateway 0 has")
            }
        }
    }

    private static let spaces = [
        ClusterSpace.holdings, ClusterSpace.uploads, ClusterSpace.sinks, ClusterSpace.anchors, ClusterSpace.health,
        ClusterSpace.devices, ClusterSpace.latest,
    ]

    private func checkUploaders() {
        for sink in sinks.indices {
            for book in truth.books {
                let working = gateways.filter { gateway in
                    guard let cluster = gateway.core?.cluster else { return false }
                    let names = cluster.replicator.knownLogs.filter { $0.log == book.log }
                    return names.contains { cluster.duty.isWorking(cluster.setup.sinks[sink], $0) }
                }
                if working.count > 1 {
                    fail(.oneUploader, nil, "\(book.log) to sink \(sink) by \(working.map(\.index))")
                }
            }
            // A hand-off of each log, and doubts about a few receipts. Who was away while a lone survivor uploaded doubts more.
            let bound = truth.books.count * 8 * scenario.chunkReadings + 500
            if scenario.ending != .loneSurvivor, sinks[sink].doublesInPeace > bound {
                fail(.oneUploader, nil, "\(sinks[sink].doublesInPeace) doubles at sink \(sink) in peace")
            }
        }
    }

    /// Copies too are uploaded until it is proved that they need not be.
    private var isAnybodyUploading: Bool {
        gateways.contains { gateway in
            guard let core = gateway.core, let cluster = core.cluster else { return true }
            return cluster.setup.sinks.contains { sink in
                cluster.replicator.knownLogs.contains { cluster.duty.isWorking(sink, $0) }
            }
        }
    }

    /// Doubts about what a peer uploaded last a minute at most each, and then it is uploaded again.
    private static let settling = 600 * SimulatedTime.second

    /// News may still travel for a while: one minute of five must be quiet.
    private func checkTraffic() {
        for _ in 0..<4 {
            if trafficAtRest() == nil { return }
        }
        if let text = trafficAtRest() { fail(.trafficRests, nil, text) }
    }

    /// What was too much in one minute.
    private func trafficAtRest() -> String? {
        let before = network.counts
        let writes = gateways.map { $0.disk.counts.writes }
        let arrivals = sinks.map(\.arrivals)
        pass(Self.listening)
        let after = network.counts
        let perSecond = Int64(gateways.count) * Self.listening
        let datagrams = Int64(after.datagrams - before.datagrams)
        let bytes = Int64(after.datagramBytes - before.datagramBytes + after.frameBytes - before.frameBytes)
        if datagrams > perSecond * Self.idleDatagrams || bytes > perSecond * Self.idleBytes {
            return "\(datagrams) datagrams, \(bytes) bytes in \(Self.listening) s at rest"
        }
        for gateway in gateways where gateway.disk.counts.writes - writes[gateway.index] > 6 {
            let count = gateway.disk.counts.writes - writes[gateway.index]
            return "\(count) writes of gateway \(gateway.index) in \(Self.listening) s at rest"
        }
        for index in sinks.indices where sinks[index].arrivals > arrivals[index] {
            return "\(sinks[index].arrivals - arrivals[index]) chunks came to sink \(index) at rest"
        }
        return nil
    }

    /// Seconds.
    private static let listening: Int64 = 60
    /// Per gateway and second: a ping and its answer, asked and answering, are 4; a few more where N is small and streams help.
    private static let idleDatagrams: Int64 = 12
    private static let idleBytes: Int64 = 1500

    /// Every old datagram comes once more; then all is as it was.
    private func checkReplay() {
        let before = gateways.map { beliefs(of: $0) }
        for old in network.recorded {
            let delay = streams.network.draw(0, 5000) * SimulatedTime.millisecond
            later(delay, .datagram(old.bytes, from: old.from, to: old.to))
        }
        cover(.datagramReplay)
        pass(40)
        for (gateway, before) in zip(gateways, before) {
            let after = beliefs(of: gateway)
            if after != before { fail(.strangersChangeNothing, gateway, "\(before), after a replay \(after)") }
        }
    }

    private func beliefs(of gateway: SimulatedGateway) -> String {
        guard let cluster = gateway.core?.cluster else { return "none" }
        let members = cluster.membership.members.map { "\($0.identity.name) \($0.state) \($0.incarnation.rawValue)" }
        return "\(cluster.membership.incarnation.rawValue) \(members)"
    }
}
