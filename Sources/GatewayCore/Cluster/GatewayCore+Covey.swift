import Environment
import GossipState
import LogFormat
import Membership
import Model
import Replication
import RingLog
import Sinks

// The beginning and the beat of a gateway's share in its covey.
extension GatewayCore {
    /// How long a gateway whose disk takes nothing stays silent. Its incarnation may then be that of an earlier start, which the start id
    /// tells apart.
    private static let silence = Duration.seconds(10)

    /// How long a gateway that starts listens before it lets anything go.
    private static let listening = Duration.seconds(10)

    /// Finds out what this ring holds of which logs; nothing is said to anybody before the incarnation of this start is durable.
    mutating func joinCovey(_ setup: ClusterSetup, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        precondition(setup.sinks.count == sinks.count, "\(setup.sinks.count) sink ids for \(sinks.count) sinks")
        let key = StateKey(StateKind.incarnation, "")
        let kept = ring.state(key).flatMap { Incarnation(record: $0) } ?? Incarnation(0)
        var covey = Cluster(setup, incarnation: kept, start: StartID(using: &random))
        covey.incarnationVersion = putState(key, covey.membership.incarnation.record) ?? 0
        covey.beginsBy = now.advanced(by: Self.silence)
        cluster = covey
        // Which sinks others require is not known yet.
        holdsReleases = true
        want(by: now)
        formerNodes.merge(Self.formerNodes(in: ring)) { $1 }
        tellRing(now: now, &directives)
        joinKeys(now: now, &directives)
        serveAgain(now: now, &directives)
    }

    /// Until the roster says whose turn it is.
    mutating func pauseUploads(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        for log in ring.logs.map(\.log) + ring.copies.map(\.log) {
            for index in sinks.indices { stepUpload(index, .paused(log, true), now: now, &directives) }
        }
    }

    private mutating func tellRing(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        for log in ring.logs where log.log != ring.currentLog {
            tellOldLog(log, now: now, &directives)
        }
        for copy in ring.copies {
            guard let name = copy.name else { continue }
            for index in sinks.indices where !sinks[index].relayed.contains(copy.log) {
                restoreProgress(index, copy.log, isRelayed: true, &directives)
            }
            tellHoldings(name, lost: copy.lost, now: now, &directives)
            if name.node == cluster?.node { stepReplication(.closed(name, end: copy.end), now: now, &directives) }
        }
    }

    /// A log that this ring wrote and writes no more.
    mutating func tellOldLog(_ log: LogSummary, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let name = name(of: log.log) else { return }
        stepReplication(.minted(name), now: now, &directives)
        stepReplication(.closed(name, end: log.end), now: now, &directives)
        tellHoldings(name, lost: ring.gaps(of: log.log), now: now, &directives)
    }

    private mutating func tellHoldings(
        _ log: LogName, lost: [Gap], now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        for range in ring.ranges(of: log.log) { stepReplication(.held(log, range), now: now, &directives) }
        for gap in lost where gap.reason != .uploaded {
            stepReplication(.lost(log, gap.range, LossReason(gap.reason)), now: now, &directives)
        }
        for index in sinks.indices {
            guard let sink = cluster?.setup.sinks[index] else { break }
            let machine = sinks[index].machine
            let counts = machine.counts(log.log)
            for (range, fate) in machine.settledRanges(log.log) {
                // Of what is known by its counts alone, the sink has all only where nothing of the log met another end.
                let isUploaded = fate.map { $0 == .uploaded } ?? (counts.settled == counts.uploaded)
                let event = DutyEvent.settled(sink, log, OffsetRanges(range), isUploaded: isUploaded)
                stepDuty(event, now: now, &directives)
            }
        }
        holdingsChanged(log, now: now, &directives)
        cluster?.unsettled.append(log)
    }

    /// Everything that follows a step of the core: what has become durable, what has been settled, what is to be told.
    mutating func followCovey(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard cluster != nil else { return }
        claimWithheld(now: now, &directives)
        beginIfDue(now: now, &directives)
        releaseIfDue(now: now)
        tellSinks(now: now, &directives)
        settleLogs(now: now, &directives)
        answerSources(&directives)
        publishNews(now: now, &directives)
        tellFluent(&directives)
    }

    /// More disks have what some source waits for.
    private mutating func answerSources(_ directives: inout [GatewayDirective]) {
        guard cluster?.setup.acks ?? 1 > 1 else { return }
        var isNews = tickets.contains { $0.ended != nil }
        if let log = cluster?.told?.log {
            let end = acknowledgedEnd
            isNews = isNews || cluster?.answered?.log != log || cluster?.answered?.end != end
            cluster?.answered = (log, end)
        }
        guard isNews else { return }
        settleTickets(upTo: ring.durableEnd, version: durableVersion, &directives)
    }

    private mutating func beginIfDue(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard cluster?.hasBegun == false, let version = cluster?.incarnationVersion else { return }
        let isDurable = version > 0 && durableVersion >= version
        guard isDurable || cluster?.beginsBy.map({ $0 <= now }) ?? false else { return }
        cluster?.hasBegun = true
        cluster?.beginsBy = nil
        cluster?.releasesAt = now.advanced(by: Self.listening)
        stepMembership(.started, now: now, &directives)
        stepGossip(.tick, now: now, &directives)
        stepReplication(.tick, now: now, &directives)
        stepDuty(.tick, now: now, &directives)
    }

    /// What every sink has that must have it may go, once the progress that says so is durable.
    private mutating func releaseIfDue(now: MonotonicInstant) {
        guard let moment = cluster?.releasesAt, moment <= now else { return }
        cluster?.releasesAt = nil
        holdsReleases = false
        for log in ring.logs.map(\.log) + ring.copies.map(\.log) {
            if sinks.isEmpty { release(log) }
            for index in sinks.indices where !dirtyProgress.contains(ProgressRef(sink: index, log: log)) {
                dirtyProgress.append(ProgressRef(sink: index, log: log))
            }
        }
        touchState(now: now)
    }

    mutating func tickCovey(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        func isDue(_ moment: MonotonicInstant?) -> Bool { moment.map { $0 <= now } ?? false }
        guard let wakes = cluster?.wakes, cluster?.hasBegun ?? false else { return }
        if isDue(wakes.membership) {
            cluster?.wakes.membership = nil
            stepMembership(.tick, now: now, &directives)
        }
        if isDue(wakes.gossip) {
            cluster?.wakes.gossip = nil
            stepGossip(.tick, now: now, &directives)
        }
        if isDue(wakes.replication) {
            cluster?.wakes.replication = nil
            stepReplication(.tick, now: now, &directives)
        }
        if isDue(wakes.duty) {
            cluster?.wakes.duty = nil
            stepDuty(.tick, now: now, &directives)
        }
        if isDue(wakes.keys) {
            cluster?.wakes.keys = nil
            stepKeys(.tick, now: now, &directives)
        }
    }

    /// When the covey wants the next tick.
    var coveyWake: MonotonicInstant? {
        guard cluster?.hasBegun ?? false else { return cluster?.beginsBy }
        var earliest = cluster?.wakes.next.orEarlier(cluster?.bulletin.due).orEarlier(cluster?.releasesAt)
        for moment in cluster?.waits ?? [] { earliest = earliest.orEarlier(moment) }
        return earliest
    }

    /// The current log has become longer, durably.
    mutating func tellCurrentLog(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard cluster != nil, let log = ring.currentLog, let name = name(of: log) else { return }
        if cluster?.told?.log != name {
            cluster?.told = (name, .zero)
            // While there was no disk it went out without asking, and the roster may have said by now that it shall.
            for index in sinks.indices where !sinks[index].machine.isJudged(log) {
                stepUpload(index, .paused(log, true), now: now, &directives)
            }
            stepReplication(.opened(name), now: now, &directives)
            stepDuty(.began(name), now: now, &directives)
        }
        guard let end = cluster?.told?.end, !isMemoryOnly, ring.durableEnd > end else { return }
        cluster?.told?.end = ring.durableEnd
        // Not all in between: what the sinks took while there was no disk never came to one.
        for range in ring.ranges(of: log) where range.upperBound > end {
            let news = max(range.lowerBound, end)..<range.upperBound
            stepReplication(.held(name, news), now: now, &directives)
        }
        holdingsChanged(name, now: now, &directives)
    }

    mutating func keep(_ incarnation: Incarnation, now: MonotonicInstant) {
        putState(StateKey(StateKind.incarnation, ""), incarnation.record)
        touchState(now: now)
    }

    // MARK: Saying something

    /// - Parameter log: Whose holders should hear of it at once; the others do in the next rounds.
    mutating func publish(
        _ value: [UInt8], as name: StateName, forHoldersOf log: LogName? = nil, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        guard let news = try? cluster?.gossip.put(value, for: name, now: now) else {
            cluster?.ignored.add(1, for: "no room to publish")
            return
        }
        carryOut(news, now: now, &directives)
        guard let log, cluster?.hasBegun ?? false else { return }
        for holder in cluster?.replicator.keepers(of: log) ?? [] where cluster?.pushes.contains(holder) == false {
            cluster?.pushes.append(holder)
        }
    }

    /// All that a step had to tell goes to each holder in one message: of two that leave together the second may come first, and be
    /// passed over for what it builds on.
    mutating func pushNews(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        while let holders = cluster?.pushes, !holders.isEmpty {
            cluster?.pushes.removeAll(keepingCapacity: true)
            stepGossip(.push(to: holders), now: now, &directives)
        }
    }

    mutating func withdraw(_ name: StateName, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let news = try? cluster?.gossip.remove(name, now: now) else { return }
        carryOut(news, now: now, &directives)
    }
}

extension LossReason {
    init(_ reason: GapReason) {
        switch reason {
        case .evicted: self = .evicted
        case .damaged: self = .damaged
        case .uploaded: self = .released
        }
    }
}

extension Incarnation {
    var record: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(varint: rawValue)
        return bytes
    }

    init?(record: [UInt8]) {
        var reader = ByteReader(record, 0..<record.count)
        guard let value = try? reader.varint() else { return nil }
        self.init(value)
    }
}

extension NodeID {
    var record: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(fixed: high)
        bytes.append(fixed: low)
        return bytes
    }

    init?(record: [UInt8]) {
        var reader = ByteReader(record, 0..<record.count)
        guard let high = try? reader.fixed(UInt64.self), let low = try? reader.fixed(UInt64.self) else { return nil }
        self.init(high: high, low: low)
    }
}
