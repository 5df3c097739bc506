import Model
import Synchronization

/// Which key is spoken to whom, while several are known: a peer may not have the first yet, or may be back with an old one.
///
/// | peer | datagrams | streams |
/// |---|---|---|
/// | is known to have the first key | the first | the first |
/// | was heard lately | the key it was heard with | the same |
/// | neither | one under each key | each in turn, another whenever a stream is lost |
///
/// Among gateways that have one key there is nothing to choose.
final class SpokenKeys: Sendable {
    /// A peer that is silent for longer may be back with another key.
    static let memory: Duration = .seconds(60)
    /// Peers whose key is remembered: more than a covey has members. Beyond, all are forgotten, which costs some datagrams.
    static let mostPeers = 2048

    private struct State {
        var ring: KeyRing
        var fluent: Set<PeerAddress> = []
        var heard: [PeerAddress: (key: UInt32, at: ContinuousClock.Instant)] = [:]
        var lost: [PeerAddress: Int] = [:]

        func key(for peer: PeerAddress) -> UInt32? {
            if ring.keys.count == 1 || fluent.contains(peer) { return ring.primary.id }
            guard let heard = heard[peer], heard.at.advanced(by: memory) > .now, ring.key(heard.key) != nil else {
                return nil
            }
            return heard.key
        }
    }

    private let state: Mutex<State>

    init(_ ring: KeyRing) {
        state = Mutex(State(ring: ring))
    }

    func install(_ ring: KeyRing) {
        state.withLock {
            $0.ring = ring
            $0.lost = [:]
        }
    }

    /// These have the first key.
    func take(fluent: [PeerAddress]) { state.withLock { $0.fluent = Set(fluent) } }

    /// What came from `peer` was genuine, under that key.
    func heard(_ peer: PeerAddress, with key: UInt32) {
        state.withLock { state in
            if state.heard.count >= Self.mostPeers, state.heard[peer] == nil { state.heard = [:] }
            state.heard[peer] = (key, .now)
        }
    }

    /// A stream to `peer` broke, perhaps as it does not understand the key.
    func lost(_ peer: PeerAddress) {
        state.withLock { state in
            guard state.ring.keys.count > 1 else { return }
            if state.lost.count >= Self.mostPeers { state.lost = [:] }
            state.lost[peer, default: 0] += 1
        }
    }

    func forDatagrams(to peer: PeerAddress) -> [UInt32] {
        state.withLock { state in state.key(for: peer).map { [$0] } ?? state.ring.keys.map(\.id) }
    }

    func forStream(to peer: PeerAddress) -> UInt32 {
        state.withLock { state in
            state.key(for: peer) ?? state.ring.keys[state.lost[peer, default: 0] % state.ring.keys.count].id
        }
    }
}
