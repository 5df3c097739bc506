import Environment
import GossipState
import Membership
import Model

// A change of the covey's key, between the machine that decides and the rest of the core.
extension GatewayCore {
    /// The machine outlives a second joining: what it knows is on the disk.
    mutating func joinKeys(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let node = cluster?.node, let start = cluster?.start else { return }
        carryOut(keyRotation?.join(as: node, start) ?? [], now: now, &directives)
    }

    mutating func load(_ keys: KeyState, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let cluster, let identify = cluster.setup.identifyKey else { return }
        if keyRotation != nil { return stepKeys(.loaded(keys), now: now, &directives) }
        keyRotation = KeyRotation(node: cluster.node, start: cluster.start, state: keys, identify: identify)
        joinKeys(now: now, &directives)
        // What the others said before the keys were found.
        stepKeys(.members(known: cluster.known, alive: cluster.alive), now: now, &directives)
        for entry in cluster.gossip.ownEntries(ClusterSpace.keys) where entry.node != cluster.node {
            guard let report = try? KeyReport(bytes: entry.value) else { continue }
            stepKeys(.reported(entry.node, report), now: now, &directives)
        }
    }

    mutating func stepKeys(_ event: KeyEvent, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        carryOut(keyRotation?.step(event, now: now) ?? [], now: now, &directives)
    }

    private mutating func carryOut(
        _ news: [KeyDirective], now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        for directive in news {
            switch directive {
            case .keep(let state, let version): directives.append(.keepKeys(state, version: version))
            case .publish(let report):
                publish(report.bytes, as: StateName(ClusterSpace.keys, [0]), now: now, &directives)
            case .frame(let payload, let node):
                guard let peer = cluster?.address(of: node), let sender = cluster?.sender else { break }
                directives.append(.frame(Envelope.seal(.keys, from: sender, payload), to: peer))
            case .wake(let moment): cluster?.wakes.keys = moment
            case .notice(let text): directives.append(.report(Report(.notice, text)))
            }
        }
    }

    /// Who understands the first key surely. With one key alone there is nothing to choose.
    mutating func tellFluent(_ directives: inout [GatewayDirective]) {
        guard let rotation = keyRotation, let cluster else { return }
        var fluent: [PeerAddress] = []
        if rotation.state.keys.count > 1 {
            for (node, start) in rotation.fluent {
                guard let member = cluster.membership.member(node), member.identity.start == start else { continue }
                fluent.append(member.address)
            }
        }
        guard fluent != cluster.fluent else { return }
        self.cluster?.fluent = fluent
        directives.append(.fluent(fluent))
    }

    /// Names of members that do not know how a key is changed, as they run an older version. One that has never been heard of is not named.
    package var oldForKeys: [String] {
        (cluster?.membership.members ?? []).filter {
            $0.state.isPresent && $0.identity.features & ClusterFeature.keyRotation == 0
        }.map { $0.identity.name.isEmpty ? "\($0.node)" : $0.identity.name }
    }
}
