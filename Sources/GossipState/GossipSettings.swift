// Pure.

/// Bounds that are part of the format: every member has the same.
package enum GossipLimits {
    /// A datagram's payload: what surely passes an IPv6 path of 1,280 bytes beside envelope and seal.
    package static let datagramBytes = 1100
    /// Half of what a stream takes, so that a frame never holds up the others for long.
    package static let frameBytes = 64 << 10
    package static let keyBytes = 64
    /// So that an entry and its headers fit a datagram.
    package static let valueBytes = 900
    /// A set's element; its removal also names up to ``covers`` adds.
    package static let elementBytes = 256
    /// Adds of other writers that one write of a set's element names; with more the entry would outgrow ``bodyBytes``.
    package static let covers = 128
    /// An entry's body, of whatever kind; an element's with all its covers needs 128 × 18 bytes.
    static let bodyBytes = 4096
    /// Versions, so that sums of them never overflow.
    static let version: UInt64 = 1 << 62
    /// Entries of one section: as many of the smallest as a frame holds.
    static let sectionEntries = frameBytes / 6
    /// Sections of one message: as many of the smallest as a frame holds.
    static let sections = frameBytes / 24
    /// News of so many streams that found no room in a round's datagram: it is full. In a covey that forms there is news
    /// of a thousand.
    static let misfits = 8
    /// News of so many streams at a time fills the datagrams of about five rounds; then news of others is passed on once.
    static let crowd = 64
    /// Buckets of the summary that stands between root and pages.
    static let buckets = 32
}

/// Bounds and paces of one member's ``GossipState``; members may differ in them.
package struct GossipSettings: Sendable {
    /// Entries of one writer in one space, tombstones included: 64 B of bookkeeping each; a gateway has some hundred
    /// logs and devices.
    package var entriesPerSpace = 1024
    /// Keys, bodies and 64 B of bookkeeping of all entries: a board with 64 MiB of memory can spare it.
    package var mostBytes = 8 << 20
    /// Writers' streams, of all nodes and lives: some hundred nodes, and lives that left shared entries.
    package var mostWriters = 2048
    /// Peers that are remembered; beyond the membership's own bound none can come.
    package var mostPeers = 1024
    /// How long a dead entry is kept so that members that were away hear of its end; who stays away longer is reset.
    package var collectAfter: Duration = .seconds(3600)
    /// How far ahead of our wall clock a remote timestamp may be before our clock does not follow it: what unsynced
    /// boards drift in weeks.
    package var mostSkew: Duration = .seconds(60)
    /// Between two exchanges with one peer; stretched with the number of members, doubled while they bring nothing.
    package var exchangeEvery: Duration = .seconds(10)
    /// After this an exchange without an answer counts as lost.
    package var exchangeTimeout: Duration = .seconds(3)
    /// Datagrams of deltas per answer; a larger gap takes one frame.
    package var deltaDatagrams = 6
    /// Between two rounds of push gossip; a round carries all news since the last.
    package var spreadEvery: Duration = .milliseconds(200)
    /// Random members per round.
    package var fanOut = 3
    /// An eager push without an acknowledgement is repeated from what was acknowledged after this.
    package var pushTimeout: Duration = .milliseconds(600)
    /// A writer that membership has not named after this is taken for forgotten: twenty rounds of its push-pull.
    package var strangerGrace: Duration = .seconds(600)

    package init() {}
}
