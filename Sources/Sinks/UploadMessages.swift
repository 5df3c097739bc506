package import Environment
package import Model

/// What the upload machine is told, and what it asks for. The machine is pure: a shell performs the directives.

/// Names one send of one machine; never used again while the machine lives.
package struct SendID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: SendID, right: SendID) -> Bool { left.rawValue < right.rawValue }
}

/// The two ways to a sink, each in order: what is new, and what has waited.
package enum UploadLane: Hashable, Sendable, CaseIterable {
    /// The newest readings of the current log.
    case fresh
    /// Older logs, oldest first, then the older part of the current one.
    case backFill
}

/// One contiguous run of one log, within one chunk.
package struct SendRequest: Hashable, Sendable {
    package let id: SendID
    package let log: LogID
    package let range: Range<Offset>
    package let lane: UploadLane

    package init(id: SendID, log: LogID, range: Range<Offset>, lane: UploadLane) {
        self.id = id
        self.log = log
        self.range = range
        self.lane = lane
    }
}

/// Why readings will never come.
package enum UploadLoss: Hashable, Sendable {
    /// Overwritten while pending. `reason` is a word of the ledger such as `drop-oldest`; cut at 32 bytes.
    case evicted(reason: String)
    case damaged
}

/// Readings of an own log that are gone here, and why.
package struct LostRange: Hashable, Sendable {
    package let range: Range<Offset>
    package let loss: UploadLoss

    package init(_ range: Range<Offset>, _ loss: UploadLoss) {
        self.range = range
        self.loss = loss
    }
}

/// What happened.
package enum UploadEvent: Sendable {
    /// A log is there. In order of age, oldest first; a current log makes every other one back-fill.
    /// `end` is what is committed, `ready` (at most `end`) what may be sent: the rest waits for a trusted clock.
    case opened(LogID, end: Offset, ready: Offset, isCurrent: Bool)
    /// More was committed, or became ready. Neither value ever goes back.
    case extended(LogID, end: Offset, ready: Offset)
    /// The log is complete as far as this gateway knows; ``extended(_:end:ready:)`` may follow all the same.
    case closed(LogID)
    /// A range is gone. Counts only what is pending, so that it can be repeated freely. Of a relayed log it is merely not held any more.
    case lost(LogID, Range<Offset>, UploadLoss)
    /// Own readings that damage had taken are here again: ascending, disjoint. What was counted damaged of them is pending once more.
    /// `lost`: what of the log is still gone.
    case restored(LogID, [Range<Offset>], lost: [LostRange])
    /// A peer's log, or how much of it is here now: `held`, in any order, replaces what was said before, and only that may be sent; the
    /// rest is neither lost nor counted. `end` never goes back. A relayed log is paused until ``paused(_:_:)`` says otherwise.
    case relayed(LogID, held: [Range<Offset>], end: Offset)
    /// Forgets a relayed log whatever its state; any other is left alone. A send under way that the sink accepts is still told.
    case dropped(LogID)
    /// A peer brought the range to this sink, which is proved. What is pending there, and known to exist, counts as uploaded.
    case delivered(LogID, Range<Offset>)
    /// A peer sent just these readings to this sink in vain, which is proved. What is pending there, and known to exist, counts as
    /// refused.
    case refusedToPeer(LogID, Range<Offset>)
    /// While paused no chunk of the log begins; what is under way ends. Also before the log is opened.
    case paused(LogID, Bool)
    /// From now on at most so many chunks of the log may be under way or be accepted, those under way now included; `nil` is no limit.
    /// Each call begins the count anew. Also before the log is opened.
    case allow(LogID, chunks: Int?)
    /// Answers a ``UploadDirective/send(_:)``. An unknown id is ignored.
    case sendFinished(SendID, SendOutcome)
    /// The range could not be read here, so nothing was sent. Say why with ``lost(_:_:_:)`` first.
    case sendAbandoned(SendID)
    /// The caller is done with a log that was finished: its counts move to the totals.
    case forgotten(LogID)
    /// A peer has just brought readings to this sink.
    case reachedByPeer
    /// The time of the newest ``UploadDirective/wake(at:)`` has come. Harmless at any other time.
    case tick
}

/// Readings that came to an end together. Never empty.
package struct SettledRange: Hashable, Sendable {
    package let log: LogID
    package let range: Range<Offset>
    package let fate: UploadFate
    /// Of a peer's log: no business of this gateway's ledger.
    package let isRelayed: Bool
    /// Uploaded by a peer, or refused to one: nothing that this gateway found out itself.
    package let isByPeer: Bool

    package init(log: LogID, range: Range<Offset>, fate: UploadFate, isRelayed: Bool = false, isByPeer: Bool = false) {
        self.log = log
        self.range = range
        self.fate = fate
        self.isRelayed = isRelayed
        self.isByPeer = isByPeer
    }
}

/// What the shell is to do.
package enum UploadDirective: Hashable, Sendable {
    /// Read the run, deliver it, and answer with ``UploadEvent/sendFinished(_:_:)``.
    case send(SendRequest)
    /// Send a ``UploadEvent/tick`` then. Replaces every earlier one.
    case wake(at: MonotonicInstant)
    /// These readings came to an end, each named once in the machine's life; what progress was restored with is not named again.
    case settled(SettledRange)
    /// What ``UploadMachine/encodedProgress(_:)`` gives for this log has changed: it belongs into the next block.
    case progressChanged(LogID)
    /// The sink will not have this reading, and took others beside it.
    case refused(LogID, Offset, reason: String)
    /// The log is closed and nothing of it is pending.
    case logFinished(LogID)
    /// The sink is in trouble, in plain words; told once until ``recovered(_:)``.
    case alarm(String)
    case recovered(String)
}

/// How a machine behaves. Every limit has a default that suits a small board.
package struct UploadSettings: Hashable, Sendable {
    /// Chunk boundaries are multiples of this offset; at least 1.
    package var chunkReadings = Limits.chunkReadings
    /// Sends under way at a time; at least 1.
    package var chunksInFlight = Limits.chunksInFlight
    /// How long a chunk that is not full waits for more.
    package var linger: Duration = .seconds(1)
    /// At most this many readings leave per second, averaged over one second; `nil` is no limit.
    package var readingsPerSecond: Int?
    /// The back-off doubles from here …
    package var backOffBase: Duration = .milliseconds(500)
    /// … to here: a sink that returns is noticed within a minute.
    package var backOffCap: Duration = .seconds(60)
    /// After word that a peer has reached the sink, a pause ends so much later: time for its receipts to come, or what it brings of this
    /// gateway's readings would be brought twice.
    package var heartening: Duration = .seconds(2)
    /// A sink may ask for peace, but not for ever: a wrong `Retry-After` must not end the upload.
    package var retryAfterCap: Duration = .seconds(3600)
    /// Failures in a row that open the breaker: one burst of sends that fail together is not five.
    package var failuresToOpen = 5
    /// Fresh readings older than this, and more than ``freshBacklogChunks`` of them, become back-fill, so that the newest go at once.
    package var freshLag: Duration = .seconds(3)
    package var freshBacklogChunks = 4

    package init() {}
}
