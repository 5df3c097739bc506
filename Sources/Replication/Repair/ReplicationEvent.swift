package import Environment
package import Model

/// What a replicator hears.
package enum ReplicationEvent: Hashable, Sendable {
    /// Who is there, and who is known though dead; this gateway may be among them or not.
    case members(alive: [NodeID], known: [NodeID])
    /// The member does not count any more, and what it claimed is forgotten.
    case forgotten(NodeID)
    /// What another gateway says that it holds; `nil`: nothing any more.
    case claim(of: NodeID, LogName, Holdings?)
    /// The log that this process appends to. Comes before anything of it is held.
    case opened(LogName)
    /// A log that this gateway's ring wrote itself in an earlier process. Nothing is ever fetched into it.
    case minted(LogName)
    /// This gateway's own log gets no more readings from it; `end` as known here.
    case closed(LogName, end: Offset)
    /// Durable on this gateway's disk, of whichever log: committed, stored, or found at start.
    case held(LogName, Range<Offset>)
    /// No longer on this gateway's disk.
    case lost(LogName, Range<Offset>, LossReason)
    /// This gateway lets go of everything below in its own log.
    case released(LogName, Offset)
    /// All required sinks have everything below: not worth another copy.
    case settled(LogName, Offset)
    case frame([UInt8], from: NodeID)
    /// Frames to that gateway were lost.
    case unreachable(NodeID)
    /// Answers ``ReplicationDirective/read(_:_:_:limit:)``.
    case chunkRead(ReadID, ChunkOutcome)
    /// The chunk of ``ReplicationDirective/store(_:_:_:_:)`` will not become durable; where it will, ``held(_:_:)`` says so.
    case refused(FetchID, StoreRefusal)
    /// Whether the ring has no room for more copies now.
    case paused(Bool)
    /// Answers ``ReplicationDirective/keepHold(_:_:_:)``: written down, durable.
    case holdKept(HoldID)
    case tick
}

package enum LossReason: Hashable, Sendable {
    /// For want of space, though a sink lacked it. It is not fetched again: there would be no room for it.
    case evicted
    /// The disk gave back something else. It is fetched again.
    case damaged
    /// Nobody needed it here: settled, or surplus. It is fetched again should it be needed again.
    case released
}

/// One read for a peer.
package struct ReadID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

package enum ChunkOutcome: Hashable, Sendable {
    /// `covered` begins where the range of the read began and is not empty; what of it is not `missing` is in `bytes`,
    /// which are at most the limit of the read, and empty where all is missing.
    case chunk(covered: Range<Offset>, missing: OffsetRanges, bytes: [UInt8])
    /// Could not be read now.
    case failed
}

package enum StoreRefusal: Hashable, Sendable {
    /// Nothing more is asked for during a second.
    case noRoom
    /// The bytes are no chunk of that log and range: the peer's fault.
    case damaged
}

/// What a replicator wants done.
package enum ReplicationDirective: Hashable, Sendable {
    case frame([UInt8], to: NodeID)
    /// Read the start of the range, at most `limit` bytes, for a peer; answered by ``ReplicationEvent/chunkRead(_:_:)``.
    case read(ReadID, LogName, Range<Offset>, limit: Int)
    /// A chunk has come that should hold these ranges. Answered by ``ReplicationEvent/held(_:_:)`` once durable,
    /// or by ``ReplicationEvent/refused(_:_:)``.
    case store(FetchID, LogName, [UInt8], OffsetRanges)
    /// What this gateway holds now, for all to know. Replaces what was published of the log.
    case publish(LogName, Holdings)
    case withdraw(LogName)
    /// Surplus: enough others keep it. It may be evicted before anything that is pending.
    case release(LogName, OffsetRanges)
    /// Takes back every ``release(_:_:)`` of the log: what is left of it is needed here again.
    case retain(LogName)
    /// Write down that these ranges are not surplus here, then ``ReplicationEvent/holdKept(_:)``.
    case keepHold(HoldID, LogName, OffsetRanges)
    /// Wants a ``ReplicationEvent/tick`` then. Replaces the moment named before.
    case wake(at: MonotonicInstant)
    /// Something that a person should look at.
    case alarm(String)
}

/// Totals since the start.
package struct ReplicationCounts: Hashable, Sendable {
    /// Chunks that came in, their bytes, and the readings they should hold.
    package internal(set) var fetchedChunks: UInt64 = 0
    package internal(set) var fetchedBytes: UInt64 = 0
    package internal(set) var fetchedReadings: UInt64 = 0
    /// Chunks given to peers, and their bytes.
    package internal(set) var servedChunks: UInt64 = 0
    package internal(set) var servedBytes: UInt64 = 0
    /// Requests of peers that were turned away because too many waited.
    package internal(set) var turnedAway: UInt64 = 0
    /// Requests of ours without an answer in time, or to a peer that could not be reached.
    package internal(set) var unanswered: UInt64 = 0
    /// Answers that came too late or twice.
    package internal(set) var late: UInt64 = 0
    /// Frames that are none, and chunks that do not hold what they should.
    package internal(set) var malformed: UInt64 = 0
    /// Chunks for which the ring had no room.
    package internal(set) var noRoom: UInt64 = 0
    /// Claims about logs beyond ``ReplicatorLimits``.
    package internal(set) var ignoredClaims: UInt64 = 0
}
