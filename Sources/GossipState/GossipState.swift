// Pure.
package import Environment
package import Model

/// The covey's replicated key-value state as one member holds it. See `Documentation/GossipState.md`.
package struct GossipState: Sendable {
    package let node: NodeID
    let settings: GossipSettings
    var store: StateStore
    var clock: HybridClock
    /// This process' life; its incarnation rises where members remember a later one of this node.
    var life: Life
    /// The streams of this process. The shared one keeps its name when the incarnation rises, as it is not superseded
    /// by anything.
    var own: WriterID
    let shared: WriterID
    var alive: [NodeID] = []
    var known: [NodeID] = []
    /// Nodes that were known once, ascending; their single-writer entries are not taken in again until they are known
    /// again.
    var gone: [NodeID] = []
    var peers: [Peer] = []
    /// For whom ``acknowledged(by:)`` may answer differently than when they were last taken; each once, ascending.
    var acknowledgers: [NodeID] = []
    /// The newest life that is known of each other node, as far as a single-writer stream of it is here. Never iterated
    /// over.
    var lives: [NodeID: Life] = [:]
    /// When the next writer that membership has not named may be taken for forgotten.
    var nextStranger: MonotonicInstant?
    var nextExchange = MonotonicInstant(nanoseconds: .min)
    var nextSpread = MonotonicInstant(nanoseconds: .min)
    /// Streams that are being spread.
    var newsCount = 0
    var lastRise: MonotonicInstant?
    var wakeAt: MonotonicInstant?
    package internal(set) var statistics = GossipStatistics()

    /// - Parameter incarnation: of this start: greater than at any earlier start of this node; kept on disk.
    package init(
        node: NodeID, start: StartID, incarnation: Incarnation, spaces: [SpaceDeclaration],
        settings: GossipSettings = GossipSettings(), now: MonotonicInstant = MonotonicInstant(nanoseconds: 0)
    ) {
        self.node = node
        self.settings = settings
        life = Life(incarnation: incarnation, start: start)
        own = WriterID(node: node, life: life, isShared: false)
        shared = WriterID(node: node, life: life, isShared: true)
        clock = HybridClock(mostSkew: settings.mostSkew)
        store = StateStore(spaces, settings: settings)
        _ = store.open(own, now: now)
    }

    /// The root over all that is known, and how many streams that is: equal on two members that know the same. 9 to 11
    /// B.
    package var passenger: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(11)
        bytes.append(fixed: store.root)
        bytes.append(varint: UInt64(store.writers.count))
        return bytes
    }

    /// Of this process: as given, or higher where members remembered a later life of this node.
    package var incarnation: Incarnation { life.incarnation }

    /// How many writes this process has made to single-writer spaces.
    package var version: UInt64 { store.writers[ownIndex].version }

    /// Up to which of them `peer` has said to have all that still counts; 0 where it has not said since its start.
    package func acknowledged(by peer: NodeID) -> UInt64 {
        let (index, isThere) = findPeer(peer)
        return isThere ? peers[index].own : 0
    }

    /// For whom ``acknowledged(by:)`` may answer differently than at the time before. Those that were forgotten are not
    /// among them.
    package mutating func takeAcknowledgers() -> [NodeID] {
        guard !acknowledgers.isEmpty else { return [] }
        defer { acknowledgers = [] }
        return acknowledgers
    }

    /// A hash of what is known, collections included. Two members that are whole and have equal contexts read the same.
    package var context: UInt64 {
        store.writers.reduce(0) { $1.version == 0 ? $0 : $0 &+ $1.digest }
    }

    /// `false` while parts of streams are here whose rest some member is known to have.
    package var isWhole: Bool { store.writers.allSatisfy { $0.version >= $0.goal } }

    var ownIndex: Int { store.find(own).index }
}

/// Counted since the start.
package struct GossipStatistics: Hashable, Sendable {
    /// Messages that could not be decoded.
    package internal(set) var malformed: UInt64 = 0
    /// Sections that began beyond what was known here.
    package internal(set) var gaps: UInt64 = 0
    /// Entries for which there was no room, and streams beyond the bound.
    package internal(set) var refused: UInt64 = 0
    /// Timestamps from so far in the future that the clock did not follow.
    package internal(set) var skewed: UInt64 = 0
    /// Exchanges begun.
    package internal(set) var exchanges: UInt64 = 0
    /// Entries that came from others.
    package internal(set) var received: UInt64 = 0
}
