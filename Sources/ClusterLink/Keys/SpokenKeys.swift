import Model
import Synchronization

/// Which key is spoken to whom, while several are known: a peer may not have the first yet, or may be back with an old one.
///
/// | peer | datagrams | streams |
/// |---|---|---|
/// | is known to have the first key | the first | the first |
/// | was heard lately with the first | the first | the first |
/// | was heard lately with another | that, and now and then the first too | that |
/// | neither | one under each key | each in turn, another whenever a stream is lost |
///
/// Now and then, as two that both wait to hear the first key would never speak it. Who knows both keys may so get a datagram twice, which is as
/// on any network. Among gateways that have one key there is nothing to choose.
final class SpokenKeys: Sendable {
    /// A peer that is silent for longer may be back with another key.
    static let memory: Duration = .seconds(60)
    /// Between two tries whether a peer answers with the first key.
    static let tryAgain: Duration = .seconds(2)
    /// Peers whose key is remembered: more than a covey has members. Beyond, all are forgotten, which costs some datagrams.
    static let mostPeers = 2048

    private struct State {
        var ring: KeyRing
        var fluent: Set<PeerAddress> = []
        var heard: [PeerAddress: [UInt32: ContinuousClock.Instant]] = [:]
        var lost: [PeerAddress: Int] = [:]
        /// When the first key was tried with those that were heard with another.
        var tried: [PeerAddress: ContinuousClock.Instant] = [:]

        func key(for peer: PeerAddress) -> UInt32? {
            if ring.keys.count == 1 || fluent.contains(peer) { return ring.primary.id }
            guard let heard = heard[peer] else { return nil }
            return ring.keys.first { key in heard[key.id].map { $0.advanced(by: memory) > .now } ?? false }?.id
        }
    }

    private let state: Mutex<State>

    init(_ ring: KeyRing) {
        state = Mutex(State(ring: ring))
    }

    func install(_ ring: KeyRing) {
        state.withLock { state in
            state.ring = ring
            (state.lost, state.tried) = ([:], [:])
        }
    }

    /// These have the first key.
    func take(fluent: [PeerAddress]) { state.withLock { $0.fluent = Set(fluent) } }

    /// What came from `peer` was genuine, under that key.
    func heard(_ peer: PeerAddress, with key: UInt32) {
        state.withLock { state in
            if state.heard.count >= Self.mostPeers, state.heard[peer] == nil { state.heard = [:] }
            // Of keys that are gone nothing need be remembered.
            if state.heard[peer]?.count ?? 0 >= KeyRing.mostKeys { state.heard[peer] = [:] }
            state.heard[peer, default: [:]][key] = .now
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
        state.withLock { state in
            guard let key = state.key(for: peer) else { return state.ring.keys.map(\.id) }
            guard key != state.ring.primary.id, state.tried[peer].map({ $0.advanced(by: Self.tryAgain) < .now }) ?? true
            else { return [key] }
            if state.tried.count >= Self.mostPeers { state.tried = [:] }
            state.tried[peer] = .now
            return [state.ring.primary.id, key]
        }
    }

    func forStream(to peer: PeerAddress) -> UInt32 {
        state.withLock { state in
            state.key(for: peer) ?? state.ring.keys[state.lost[peer, default: 0] % state.ring.keys.count].id
        }
    }
}
