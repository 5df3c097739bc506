// Pure.
import Environment
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

    /// - Parameter keptAt: Since when a message is remembered; `nil` for one that has just come.
    func verdict(_ route: RouteID, _ topic: UInt64, keptAt: MonotonicInstant? = nil) -> Verdict {
        guard isSettled else { return .wait }
        let others = servers(of: route, at: keptAt)
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
    func rank(_ message: SharedMessage<Payload>) -> Int {
        let own = weight(node, message.route, message.topic)
        return servers(of: message.route).count { weight($0, message.route, message.topic) > own }
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

    /// Others that are there and say that they read that route, and said so at that moment already.
    private func servers(of route: RouteID, at moment: MonotonicInstant? = nil) -> [NodeID] {
        peers.filter { peer in
            isPresent(peer.node) && moment.map { peer.since <= $0 } ?? true && peer.entry.routes.holds(route)
        }.map(\.node)
    }

    /// Whether somebody read that route while this gateway was away.
    func isVouchedFor(_ route: RouteID) -> Bool {
        peers.contains { $0.vouches && isPresent($0.node) && $0.entry.routes.holds(route) }
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
