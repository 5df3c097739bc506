// Pure.
import Environment
import Model

/// What is known of another member, and what is under way with it.
struct Peer: Sendable {
    let node: NodeID
    /// Its newest life that sent something: what an earlier one knew is lost.
    var life: Life?
    /// Up to where it said it knows our streams.
    var own: UInt64 = 0
    var shared: UInt64 = 0
    /// Up to where they were pushed to it, when, and how often without an answer.
    var pushedOwn: UInt64 = 0
    var pushedShared: UInt64 = 0
    var pushedAt = MonotonicInstant(nanoseconds: .min)
    var pushTries = 0
    /// An exchange begun here waits for its answer until then.
    var inFlightUntil: MonotonicInstant?
    var nextExchange = MonotonicInstant(nanoseconds: .min)
    /// Exchanges in a row that brought nothing.
    var fruitless = 0
}

extension GossipState {
    func findPeer(_ node: NodeID) -> (index: Int, isThere: Bool) {
        var low = 0
        var high = peers.count
        while low < high {
            let middle = (low + high) / 2
            if peers[middle].node < node { low = middle + 1 } else { high = middle }
        }
        return (low, low < peers.count && peers[low].node == node)
    }

    /// `nil` where there are too many.
    mutating func openPeer(_ node: NodeID) -> Int? {
        let (index, isThere) = findPeer(node)
        if isThere { return index }
        guard peers.count < settings.mostPeers else { return nil }
        peers.insert(Peer(node: node), at: index)
        return index
    }

    /// Takes note of the life that a message comes from. `nil` where a later one of that node is known: the message is
    /// out of date.
    mutating func greet(_ node: NodeID, _ life: Life) -> Int? {
        guard node != self.node, let index = openPeer(node) else { return nil }
        if let last = peers[index].life {
            if life < last { return nil }
            // A risen incarnation is the same process: what it knew it still knows.
            if life.start != last.start { renew(index) }
        }
        peers[index].life = life
        return index
    }

    /// Takes note of a peer's newer life that another member tells of: what the earlier one acknowledged is lost.
    mutating func restarted(_ node: NodeID, _ life: Life) {
        let (index, isThere) = findPeer(node)
        guard isThere, let last = peers[index].life, last < life else { return }
        if last.start != life.start { renew(index) }
        peers[index].life = life
    }

    private mutating func renew(_ index: Int) {
        peers[index] = Peer(node: peers[index].node)
        acknowledgers.enter(peers[index].node)
    }

    /// Takes note of what a peer says to know of this process' streams.
    mutating func acknowledge(_ peer: Int, _ known: [Known]) {
        for line in known where line.writer.node == node {
            if line.writer == own {
                let version = min(line.version, version)
                guard version > peers[peer].own else { continue }
                peers[peer].own = version
                acknowledgers.enter(peers[peer].node)
            } else if line.writer == shared {
                peers[peer].shared = max(peers[peer].shared, line.version)
            }
        }
        if peers[peer].own >= version { peers[peer].pushTries = 0 }
    }
}

/// Whether a sorted array holds the node.
func contains(_ nodes: [NodeID], _ node: NodeID) -> Bool { nodes.position(of: node).isThere }
