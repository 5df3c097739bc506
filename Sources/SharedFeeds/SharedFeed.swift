// Pure: no async, no clock, no randomness, no I/O, no iteration over sets or dictionaries.
package import Environment
package import Model
import Replication

/// One gateway's part in reading a broker that other gateways of its covey read as well.
///
/// All of them are subscribed to all of it. For each topic one is the *owner*: it takes the messages, and acknowledges them when they are
/// durable. The others *stand by*: they acknowledge at once and remember the message until the owner reports that it is durable. What an
/// owner that goes has not reported the next in rank takes from its memory.
///
/// Every rule is for doubles rather than for loss:
///
/// | situation | who takes the message |
/// |---|---|
/// | all know of each other | the owner: the best rank for the topic of those that read it |
/// | the owner is dead, has left, or has lost the broker | the next in rank, what it remembers and was not reported |
/// | a gateway begins to read | what came before others know, they; what comes after, it, once they have reported what they took |
/// | a gateway has just started and does not know of others | nobody; the broker keeps the message |
/// | nobody reports the message for a minute | the next in rank |
///
/// - *Who*: `SharedFeed+Ranks.swift`. *Coming and going*: `SharedFeed+Phases.swift`. *Reports*: `SharedFeed+Reports.swift`.
package struct SharedFeed<Payload: Sendable>: Sendable {
    /// Where this gateway stands with the broker.
    enum Phase: Hashable {
        /// Not connected.
        case away
        /// Connected and listening; nobody counts on it.
        case joining(since: MonotonicInstant)
        /// Others know, or will, that it reads.
        case serving(since: MonotonicInstant)
    }

    /// What another gateway says of itself, and what passed between it and this one.
    struct Peer: Sendable {
        let node: NodeID
        var entry: SharedFeedEntry
        /// Since when it is known that it reads: what is remembered from before is not its.
        var since: MonotonicInstant
        /// It has handed over: all that it took before it knew of this gateway's epoch is reported.
        var hasHandedOver = false
        /// It was seen reading by this gateway while that read as well, and either never stopped since.
        var isWitnessed = false
        /// It has read without a break since before this gateway was there last.
        var vouches = false
        /// This gateway has read without a break since before that one was there last.
        var isCovered = false
        /// The first report that it was not sent.
        var next: UInt64 = 0
        /// What was taken before this is to be reported before the hand-over is said.
        var horizon: UInt64
        var isAnswered = false
        /// Nothing is sent before, as frames were lost.
        var pausedUntil: MonotonicInstant?
    }

    /// Whose reports, and up to which, are known here.
    struct Heard: Sendable {
        let node: NodeID
        var reporter: UInt64
        var upTo: UInt64
    }

    package let settings: SharedFeedSettings
    let reporter: UInt64
    var node: NodeID
    package internal(set) var counts = SharedFeedCounts()

    // Who
    /// Other members that are alive or suspect, ascending.
    var present: [NodeID] = []
    var peers: [Peer] = []
    var routes: [RouteID] = []

    // Phases
    var bornAt: MonotonicInstant?
    var steppedAt: MonotonicInstant?
    var metAt: MonotonicInstant?
    var isSettled = false
    var phase = Phase.away
    var lostAt: MonotonicInstant?
    var epoch: UInt64 = 0
    /// All that had topics before have handed them over.
    var isConfirmed = false
    /// Gateways that stopped while this one read, which it has done since.
    var absentees: [NodeID] = []
    /// Whose turn it is may have changed for messages in memory.
    var isDisturbed = false

    // Messages
    var memory = StandbyMemory<Payload>()
    /// Messages of lower ranks wait for their turn in it.
    var nextExpiry: MonotonicInstant?
    /// Taken, not yet durable, oldest first.
    var open: [(id: TakenID, reports: [Report])] = []
    var nextTaken: UInt64 = 0
    var credits = Credits()
    var seen = SeenMessages()

    // Reports
    struct Report: Sendable {
        let key: MessageKey
        let arrival: MonotonicInstant
    }

    /// Those that may still be asked for; the first has number ``reportsBase``.
    var reports: [Report] = []
    var reportsBase: UInt64 = 0
    var lastReportAt: MonotonicInstant?
    /// By node, also of gateways that have lost the broker and tell what they took before.
    var heard: [Heard] = []

    /// - Parameter reporter: Random, never used before.
    package init(node: NodeID, reporter: UInt64, settings: SharedFeedSettings = SharedFeedSettings()) {
        self.node = node
        self.reporter = reporter
        self.settings = settings
    }

    /// Takes one event and says what is to be done now, in order.
    package mutating func step(
        _ event: SharedFeedEvent, now: MonotonicInstant
    ) -> [SharedFeedDirective<Payload>] {
        var out: [SharedFeedDirective<Payload>] = []
        if bornAt == nil { bornAt = now }
        steppedAt = now
        switch event {
        case .members(let own, let present): setMembers(own, present, now: now, &out)
        case .entry(let entry, let node): hear(entry, of: node, now: now)
        case .routes(let routes): setRoutes(routes, now: now, &out)
        case .linkUp(let epoch): linkUp(epoch, now: now)
        case .linkDown: linkDown(now: now)
        case .frame(let bytes, let node): receive(bytes, from: node, now: now)
        case .lost(let node): lost(node, now: now)
        case .durable(let id): finish(id)
        case .tick: break
        }
        proceed(now: now, &out)
        return out
    }

    /// Says what is to be done with messages that have just come. Those to be taken are durable some time: `durable` says so.
    ///
    /// - Returns: `nil` where that is not known yet: nothing has happened then, and the caller keeps the messages, unacknowledged, and asks
    ///   again after the next step.
    package mutating func admit(
        _ messages: [SharedMessage<Payload>], now: MonotonicInstant
    ) -> (decisions: [SharedDecision], taken: TakenID?)? {
        let verdicts = messages.map { verdict($0.route, $0.topic) }
        if verdicts.contains(.wait) { return nil }
        var decisions: [SharedDecision] = []
        var taken: [Report] = []
        for (message, verdict) in zip(messages, verdicts) {
            if message.isRedelivery, seen.contains(message) {
                decisions.append(.known)
            } else if verdict == .take {
                let isKnown = credits.use(message, slack: settings.slack)
                if isKnown { counts.known += 1 }
                decisions.append(isKnown ? .known : .take)
                if !isKnown { taken.append(Report(key: message.key, arrival: message.arrival)) }
            } else {
                standBy(message, now: now)
                decisions.append(.standBy)
            }
        }
        return (decisions, taken.isEmpty ? nil : begin(taken))
    }

    private mutating func standBy(_ message: SharedMessage<Payload>, now: MonotonicInstant) {
        counts.stoodBy += 1
        seen.note(message)
        if credits.use(message, slack: settings.slack) {
            counts.confirmed += 1
        } else {
            var message = message
            message.keptAt = now
            counts.dropped += UInt64(memory.append(message))
        }
    }

    /// These are being taken from now on.
    mutating func begin(_ taken: [Report]) -> TakenID {
        let id = TakenID(rawValue: nextTaken)
        nextTaken += 1
        open.append((id, taken))
        return id
    }
}
