// Pure.
package import Model
import Replication

/// Whose a topic is. Everybody draws the same weights, so all agree as soon as they know the same.
extension SharedFeed {
    enum Verdict {
        case take
        case standBy
        /// It will be this gateway's, but is not yet.
        case wait
    }

    func verdict(_ route: RouteID, _ topic: UInt64) -> Verdict {
        guard isSettled else { return .wait }
        let others = servers(of: route)
        switch phase {
        case .away: return others.isEmpty ? .take : .standBy
        case .joining:
            guard others.isEmpty else { return .standBy }
            // With nobody there at all it is said in this very step that this gateway reads.
            return isAccompanied ? .take : .wait
        case .serving:
            let own = weight(node, route, topic)
            let isOurs = others.allSatisfy { own > weight($0, route, topic) }
            return !isOurs ? .standBy : isConfirmed ? .take : .wait
        }
    }

    /// How many read that route and come before this gateway; 0 for the owner.
    func rank(_ route: RouteID, _ topic: UInt64) -> Int {
        let own = weight(node, route, topic)
        return servers(of: route).count { weight($0, route, topic) > own }
    }

    /// Who takes a topic, as far as this gateway knows; `nil` while nobody does.
    package func owner(_ route: RouteID, _ topic: UInt64) -> NodeID? {
        var candidates = servers(of: route)
        if case .serving = phase { candidates.append(node) }
        return candidates.max { weight($0, route, topic) < weight($1, route, topic) }
    }

    /// Ties are broken by node, so that the order is total.
    private func weight(_ node: NodeID, _ route: RouteID, _ topic: UInt64) -> (UInt64, UInt64, UInt64) {
        (rendezvous(route.rawValue, topic, node: node), node.high, node.low)
    }

    /// Others that are there and say that they read that route.
    private func servers(of route: RouteID) -> [NodeID] {
        peers.filter { isPresent($0.node) && $0.entry.routes.holds(route) }.map(\.node)
    }

    func isPresent(_ node: NodeID) -> Bool { present.contains(node) }

    /// Others that are there and read something that this gateway reads.
    func isCompanion(_ peer: Peer) -> Bool {
        isPresent(peer.node) && routes.contains { peer.entry.routes.holds($0) }
    }

    var isAccompanied: Bool { peers.contains { isCompanion($0) } }

    /// Others that read the same now.
    package var companions: [NodeID] { peers.filter { isCompanion($0) }.map(\.node) }
}

extension [RouteID] {
    /// Whether an ascending array has that route.
    fileprivate func holds(_ route: RouteID) -> Bool {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < route { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low] == route
    }
}
