// Pure: no async, no clock, no randomness of its own, no I/O but the ring's reads at opening.
package import Environment
import LogFormat
import Membership
package import Model
import Replication
package import RingLog
import Sinks

/// One gateway's brain: ring, ledger and uploads composed as one stepped machine.
///
/// Everything that takes time is a directive, and its end is an event. The daemon drives it from an actor, a test from a loop of its own.
package struct GatewayCore: Sendable {
    package struct Settings: Sendable {
        /// How long readings that nobody can date yet wait for the clock before they go out as `clock-unsynced`.
        package var clockWait: Duration = .seconds(30)
        /// How long state that changed alone (upload progress, counters) may wait for readings to ride with.
        package var stateWindow: Duration = .seconds(5)
        /// A sink's account is written when so many readings came to an end there since …
        package var accountReadings = 32_768
        /// … or so much time has passed. A start reads again what came between.
        package var accountWindow: Duration = .seconds(60)
        /// Counts of streams that only got readings are written when so many were stored since …
        package var countsReadings = 32_768
        /// … or so much time has passed. A start counts again what came between.
        package var countsWindow: Duration = .seconds(60)
        /// How long one pass over the ring takes that sees whether the disk still has what it took; zero: there is none.
        package var scrubInterval: Duration = .seconds(7 * 86_400)
        /// Windows that stand for readings which a full ring gives up, with ``RingOptions/Retention/downsample``; `nil`: nothing does.
        package var downsampleWindow: Duration?
        /// Readings waiting for their commit at most; beyond, sources are not read.
        package var waitingReadings = 65_536

        package init() {}
    }

    package let settings: Settings
    package internal(set) var ring: RingLog
    package internal(set) var ledger = Ledger()
    package internal(set) var sinks: [SinkState]
    package internal(set) var latest = LatestTable()
    /// The same of other gateways, as far as this one holds copies.
    package internal(set) var copiedLatest = LatestTable()
    /// Segments that the disk failed since the start, with its words: at most one entry for each.
    package internal(set) var retired: [(segment: Int, reason: String)] = []
    var random: SeededRandom

    // Intake
    /// Submissions that the ring had no room for; sources that wait for a ticket hold at most one each.
    var backlog: [Submission] = []
    /// Appended, not yet durable, in order of their offsets.
    var pending: [(offset: Offset, reading: Reading)] = []
    var tickets: [OpenTicket] = []
    var sessions: [String: UInt64] = [:]

    // Commit
    var isWriting = false
    var isStopping = false
    /// The disk takes nothing: readings go to the sinks from RAM, and sources are answered when the sinks have them.
    package internal(set) var isMemoryOnly = false
    /// Up to where the durable readings are in the stream counts.
    var counted: LedgerPosition?
    /// As of where all streams' records are durable, to be put with the next cut.
    var settledPosition: LedgerPosition?
    /// What becomes true when small records are durable, oldest first.
    var promises: [Promise] = []
    var deadline: MonotonicInstant?
    var stateDeadline: MonotonicInstant?
    /// When the counts of streams must be written that the readings themselves tell of.
    var countsDeadline: MonotonicInstant?
    /// Stored since those counts were put.
    var uncountedReadings = 0
    var uncountedBytes = 0
    var dirtyProgress: [ProgressRef] = []

    /// Small records up to this version are durable.
    var durableVersion: UInt64 = 0

    /// What earlier processes wrote to the ring.
    var earlierWear = Wear()
    var startedAt = MonotonicInstant(nanoseconds: 0)

    /// `nil` where the ring is not scrubbed.
    package internal(set) var scrub: Scrub?
    /// The latest one that was ordered, under way or over; `nil` where none was.
    package internal(set) var repair: RepairPass?
    /// `nil` where readings that must go leave nothing in their place.
    package internal(set) var downsampling: Downsampling?

    /// Of the ring, in percent: what holds readings that no sink has. Looked at after a commit, every few seconds.
    package internal(set) var pressure = 0
    var pressureDueAt: MonotonicInstant?

    // Accounts
    /// Evicted readings of this step of which no stream is known.
    var unexplained: [TallyPlan.Wanted] = []
    /// Tallies under way.
    var tallies = 0
    /// Something has come to an end at a sink since it was last looked what can be attributed.
    var hasSettled = false

    // Uploads
    var uploadWakes: [MonotonicInstant?]
    /// What the sinks know of the current log.
    var told: (log: LogID, end: Offset, ready: Offset)?
    /// Readings of the current log that nobody can date yet, oldest first; neighbours in time share an entry.
    var undated: [(from: Offset, until: MonotonicInstant)] = []
    /// Older logs of which nothing from an offset on is sent yet, as nobody can date it.
    var held: [(log: LogID, end: Offset, until: MonotonicInstant)] = []
    var announcedWake: MonotonicInstant?

    // Covey
    /// `nil` for a gateway alone.
    package internal(set) var cluster: Cluster?
    /// Logs of this ring that were written under another node id.
    var formerNodes: [LogID: NodeID] = [:]
    /// The current log must end, as this gateway has got another node id.
    var isRenaming = false
    /// `nil` where the covey has no key of its own, or it is not read yet.
    package internal(set) var keyRotation: KeyRotation?
    /// What this gateway said last that it reads of brokers.
    var servedPages: [(broker: UInt64, pages: [[UInt8]])] = []
    /// Nothing is released yet: peers may require sinks that this gateway has not heard of since its start.
    var holdsReleases = false

    struct OpenTicket {
        let ticket: Ticket
        let upTo: Offset
        /// The put that carries the ticket's counts; known at the next cut.
        var stateVersion: UInt64?
        /// The log that ``upTo`` is of, where that has ended since: all of it is durable here.
        var ended: LogName?
    }

    struct ProgressRef: Hashable {
        let sink: Int
        let log: LogID
    }

    /// Follows from small records, and only once they are durable: else a crash in between would make it a lie.
    struct Promise {
        var version: UInt64
        /// Readings that may leave the ring, by log.
        var releases: [(log: LogID, upTo: Offset)] = []
        /// The streams' records are as of here.
        var counted: LedgerPosition?
    }

    /// Handles one event; the directives are to be performed in order.
    package mutating func step(_ event: GatewayEvent, now: MonotonicInstant) -> [GatewayDirective] {
        var directives: [GatewayDirective] = []
        switch event {
        case .submitted(let submission): submit(submission, now: now)
        case .written(let id, let result): written(id, result, now: now, &directives)
        case .maintained(let result):
            handle(ring.finished(result), now: now, &directives)
            if ring.hasWork { touchState(now: now) }
        case .sent(let sink, let id, let outcome, let devices):
            sent(sink, id, outcome, devices, now: now, &directives)
        case .unreadable(let sink, let id, let log, let missing, let damage):
            handle(ring.noteDamage(damage), now: now, &directives)
            for gap in missing where gap.log == log { lose(gap, now: now, &directives) }
            stepUpload(sink, .sendAbandoned(id), now: now, &directives)
        case .tallied(let result): tallied(result)
        case .damageFound(let damage): handle(ring.noteDamage(damage), now: now, &directives)
        case .unreadFound(let unread): handle(ring.noteUnread(unread, now: now), now: now, &directives)
        case .expire(let limit):
            handle(ring.expire(before: limit), now: now, &directives)
            // That it is gone is to be known before the room is used.
            if ring.hasWork { touchState(now: now) }
        case .clockTrusted(let anchor):
            ring.anchor(anchor)
            tellAnchor(anchor, now: now, &directives)
            touchState(now: now)
            undated.removeAll()
            letGo(until: nil, now: now, &directives)
        case .sessionLost(let broker): loseSession(of: broker, now: now)
        case .datagram(let bytes, let peer): receive(bytes, asFrame: false, from: peer, now: now, &directives)
        case .frame(let bytes, let peer): receive(bytes, asFrame: true, from: peer, now: now, &directives)
        case .unreachable(let peer): lostStream(to: peer, now: now, &directives)
        case .seeds(let addresses):
            // Who joins anew, under another name or address, looks there too.
            cluster?.setup.seeds = Array(addresses.prefix(MembershipLimits.seeds))
            stepMembership(.seeds(addresses), now: now, &directives)
        case .moved(let address): move(to: address, now: now, &directives)
        case .leave: stepMembership(.leave, now: now, &directives)
        case .forget(let node): stepMembership(.forget(node), now: now, &directives)
        case .keysLoaded(let keys): load(keys, now: now, &directives)
        case .keys(let order): stepKeys(.order(order), now: now, &directives)
        case .keysKept(let version, let failure):
            stepKeys(.kept(version: version, failure: failure), now: now, &directives)
        case .served(let broker, let pages): serve(broker, pages, now: now, &directives)
        case .brokerMessage(let payload, let node): sayOfBroker(payload, to: node, &directives)
        case .queryMessage(let payload, let node): sayOfQuery(payload, to: node, &directives)
        case .queried(let counts): note(counts)
        case .worked(let result): worked(result, now: now, &directives)
        case .tick: tick(now: now, &directives)
        case .repair: orderRepair(now: now)
        case .stopping: isStopping = true
        }
        endFormerLog(now: now, &directives)
        extendCurrentLog(now: now, &directives)
        followCovey(now: now, &directives)
        finishDownsampling(now: now, &directives)
        readForRepair(now: now, &directives)
        cutIfDue(now: now, &directives)
        takeReceipts(now: now, &directives)
        tallyEvicted(&directives)
        attributeTheRest()
        pushNews(now: now, &directives)
        announceWake(now: now, &directives)
        return directives
    }

    /// Takes a reading of an earlier run into the table of the newest, unless one of this run is there.
    package mutating func recall(_ stored: StoredReading) {
        guard ring.isCopy(stored.log) else { return latest.recall(stored) }
        if let owner = ring.owner(ofCopy: stored.log) { noteCopy(stored, of: owner) }
    }

    /// Whether a source that can wait should: the intake holds as much as it may.
    package var isFull: Bool { !backlog.isEmpty || pending.count >= settings.waitingReadings }

    /// Whether everything that was submitted is durable and nothing is being written.
    package var isQuiet: Bool {
        !isWriting && backlog.isEmpty && pending.isEmpty && tickets.isEmpty && dirtyProgress.isEmpty
    }

    private mutating func tick(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        undated.removeAll { $0.until <= now }
        letGo(until: now, now: now, &directives)
        for index in sinks.indices where uploadWakes[index].map({ $0 <= now }) ?? false {
            uploadWakes[index] = nil
            stepUpload(index, .tick, now: now, &directives)
        }
        scrubIfDue(now: now, &directives)
        tickCovey(now: now, &directives)
    }

    /// Asks for one tick at the earliest moment that anything here waits for.
    mutating func announceWake(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        if let announced = announcedWake, announced <= now { announcedWake = nil }
        var earliest = coveyWake.orEarlier(undated.first?.until)
        // Only one segment is read at a time.
        if scrub?.isReading != true { earliest = earliest.orEarlier(scrub?.dueAt).orEarlier(repair?.wake) }
        for moment in uploadWakes { earliest = earliest.orEarlier(moment) }
        for log in held { earliest = earliest.orEarlier(log.until) }
        if !isWriting { earliest = earliest.orEarlier(nextCut) }
        guard let next = earliest, next != announcedWake else { return }
        announcedWake = next
        directives.append(.wake(at: next))
    }
}
