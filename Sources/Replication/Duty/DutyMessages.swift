package import Environment
package import Model

/// What a duty roster is told.
package enum DutyEvent: Sendable {
    /// The other members. Those that are merely suspected count as alive.
    case members(alive: [NodeID], known: [NodeID])
    /// What a gateway, this one included, has configured.
    case sinks(of: NodeID, [SinkStatus])
    /// The newest claim of a gateway, also one that is dead, also this one's from before its start; `nil`: withdrawn.
    case uploads(of: NodeID, UploadKey, UploadClaim?)
    /// This process minted the log: nobody else can have begun with it.
    case began(LogName)
    /// What of a log is durable here, all of it.
    case holds(LogName, OffsetRanges)
    /// What of a log is durable at a peer, as far as it says; `nil`: withdrawn.
    case peerHolds(NodeID, LogName, OffsetRanges?)
    /// What a sink of this gateway needs no more: known to be uploaded, from stored progress, or (`isUploaded` false) refused or gone. Nobody
    /// else is told.
    case settled(SinkID, LogName, OffsetRanges, isUploaded: Bool)
    /// What was settled as gone is here again: it needs an upload, unless that is proved to have been.
    case restored(SinkID, LogName, OffsetRanges)
    /// A sink took the range from this gateway. Where the digest is not at hand, the roster asks for it.
    case uploaded(SinkID, LogName, Range<Offset>, digest: UInt64?)
    /// A sink refused each reading of the range, which this gateway sent, for its content. The roster asks for the digest.
    case refused(SinkID, LogName, Range<Offset>)
    /// Answers each ``DutyDirective/digest(_:_:)``; `nil` where the range could not be read whole.
    case digested(LogName, Range<Offset>, UInt64?)
    /// Answers each ``DutyDirective/publish(_:_:)``, in their order: the version of this gateway's gossip that has the claim.
    case published(UploadKey, version: UInt64)
    /// The version of this gateway's gossip that a peer is known to have.
    case acknowledged(NodeID, version: UInt64)
    /// A sink asked this gateway for peace until then; `nil`: it takes readings again.
    case waiting(SinkID, until: MonotonicInstant?)
    /// The log is no business of this gateway any more.
    case forgotten(LogName)
    /// The time of the newest ``DutyDirective/wake(at:)`` has come. Harmless at any other time.
    case tick
}

/// What the owner of a duty roster is to do.
package enum DutyDirective: Hashable, Sendable {
    /// Upload what is pending of the log. Every log, own ones too, waits for this; for own ones of a lone gateway it comes at once.
    case start(SinkID, LogName)
    /// Begin no further chunk; what is under way ends.
    case stop(SinkID, LogName)
    /// It is proved that a peer uploaded the range, or (`isRefused`) sent just these readings in vain: it needs no upload from here.
    case settle(SinkID, LogName, Range<Offset>, isRefused: Bool)
    /// From now on at most so many chunks may be under way or be accepted, those under way now included; `nil` is no limit. Replaces
    /// the one before.
    case allow(SinkID, LogName, chunks: Int?)
    /// Read the range and answer ``DutyEvent/digested(_:_:_:)``.
    case digest(LogName, Range<Offset>)
    /// Gossip the claim and answer ``DutyEvent/published(_:version:)``.
    case publish(UploadKey, UploadClaim)
    case withdraw(UploadKey)
    /// A peer that works has brought more to the sink.
    case reached(SinkID)
    /// Send a ``DutyEvent/tick`` then. Replaces every earlier one.
    case wake(at: MonotonicInstant)
    case alarm(String)
}

/// How a roster behaves, and its limits with their reasons.
package struct DutySettings: Hashable, Sendable {
    /// Without a covey nothing waits for peers that might turn up.
    package var isClustered = true
    /// The rank r of the candidates starts after r times this in which nobody spoke of working …
    package var rankWait: Duration = .seconds(5)
    /// … and this, for claims that are on their way.
    package var grace: Duration = .seconds(1)
    /// While it works a gateway says so as often as this.
    package var turnInterval: Duration = .seconds(2)
    /// A turn counts for so long: two may be lost.
    package var turnLife: Duration = .seconds(5)
    /// Claims of one log follow each other no faster.
    package var claimInterval: Duration = .milliseconds(250)
    /// What was only proved, not uploaded here, is told this late: it decides nothing but ranks.
    package var quietInterval: Duration = .seconds(5)
    /// A gateway that returns takes its logs back, and those of others on, when it has been alive so long.
    package var returnAfter: Duration = .seconds(10)
    /// Where all that is pending here (for the log's own gateway: a part) was uploaded by peers that say so, and cannot be proved: time for
    /// the proof to turn up.
    package var doubtWait: Duration = .seconds(60)
    /// A peer that holds what the sink is known to have, and says so long that it does not know that, gets receipts anew: longer than
    /// ``quietInterval``, or it might know already …
    package var vouchAfter: Duration = .seconds(7)
    /// … so many at a time: each is a long read, and the claim has room for 32 …
    package var vouchedAtOnce = 8
    /// … and so long after those before: what is told in ``quietInterval`` has room in the claim.
    package var vouchPause: Duration = .milliseconds(1500)
    /// Chunks without a receipt that the next rank has: what a hand-off repeats at most.
    package var chunksUnknown = 4
    /// The next in rank that gives no word of receipts for so long is passed over: longer than a death goes unnoticed in a covey of up to
    /// ten, so that only who lives and cannot answer is.
    package var deafAfter: Duration = .seconds(30)
    package var chunkReadings = Limits.chunkReadings
    /// Reads of the disk for digests at a time: uploads and repair want it too.
    package var digestsInFlight = 4
    /// Receipts of one peer for one log at one sink that were wrong, after which its receipts there count no more.
    package var mostFalse = 16
    /// Logs times sinks that claims of peers may bring up before they are held here; each costs some hundred bytes.
    package var mostKeys = 16_384

    package init() {}
}
