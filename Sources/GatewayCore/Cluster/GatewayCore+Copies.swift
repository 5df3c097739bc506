import Environment
import GossipState
import LogFormat
import Model
import Replication
import RingLog
import Sinks

// Logs of others in this ring, and what of this ring others get.
extension GatewayCore {
    mutating func stepReplication(
        _ event: ReplicationEvent, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard let sender = cluster?.sender else { return }
        let steps = cluster?.replicator.step(event, now: now, using: &random) ?? []
        // First, for what is carried out below may step the same machine again, whose word is then the newer one.
        for case .wake(let moment) in steps { cluster?.wakes.replication = moment }
        for directive in steps {
            switch directive {
            case .wake: break
            case .frame(let payload, let node):
                guard let peer = cluster?.address(of: node) else { break }
                directives.append(.frame(Envelope.seal(.replication, from: sender, payload), to: peer))
            case .read(let id, let log, let range, let limit):
                read(.chunk(id, limit: limit), log, range, &directives)
            case .store(let id, let log, let bytes, let ranges):
                store(id, log, bytes, ranges, now: now, &directives)
            case .publish(let log, let holdings):
                claim(log, holdings, now: now, &directives)
            case .withdraw(let log):
                cluster?.withheld[log] = nil
                withdraw(StateName(ClusterSpace.holdings, log.key), now: now, &directives)
            case .release(let log, let ranges):
                guard let start = ring.ranges(of: log.log).first?.lowerBound else { break }
                ring.setReleased(log.log, upTo: ranges.end(of: start))
            case .retain(let log): ring.takeBackRelease(log.log, to: settledStart(of: log))
            case .keepHold(let id, let log, let ranges): keepHold(id, log, ranges, now: now, &directives)
            case .alarm(let text): directives.append(.report(Report(.warning, text)))
            }
        }
    }

    /// A claim lets others answer their sources and let go of their copies: before the disk is known to have it, nothing is said.
    private mutating func claim(
        _ log: LogName, _ holdings: Holdings, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard ring.isSettled else {
            cluster?.withheld[log] = holdings
            return
        }
        let name = StateName(ClusterSpace.holdings, log.key)
        publish(holdings.encoded, as: name, forHoldersOf: log, now: now, &directives)
    }

    /// The disk has taken a commit after a start at which it refused its syncs.
    mutating func claimWithheld(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard ring.isSettled, let withheld = cluster?.withheld, !withheld.isEmpty else { return }
        cluster?.withheld = [:]
        for log in withheld.keys.sorted() {
            if let holdings = withheld[log] { claim(log, holdings, now: now, &directives) }
        }
    }

    func read(
        _ purpose: ReaderWork.Purpose, _ log: LogName, _ range: Range<Offset>, _ directives: inout [GatewayDirective]
    ) {
        let limit = range.lowerBound.distance(to: range.upperBound)
        let plan = ring.readPlan(log: log.log, range: range, limit: limit)
        let read = RangeRead(purpose: purpose, name: log, range: range, plan: plan, anchors: ring.clock.anchors)
        directives.append(.work(ReaderWork(read)))
    }

    mutating func worked(_ result: ReaderResult, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        let damagedBefore = ring.damagedReadings
        handle(ring.noteDamage(result.damage), now: now, &directives)
        handle(ring.noteUnread(result.unread, now: now), now: now, &directives)
        // Of copies nothing else would have it written down.
        if ring.hasUncutRecords { touchState(now: now) }
        switch result.answer {
        case .chunk(let id, let outcome): stepReplication(.chunkRead(id, outcome), now: now, &directives)
        case .digest(let log, let range, let devices): digested(log, range, devices, now: now, &directives)
        case .page(let asked, let outcome): paged(asked, outcome, &directives)
        case .scrub(let result):
            scrubbed(result, damaged: ring.damagedReadings - damagedBefore, now: now, &directives)
        case .downsample(let downsampler, let progress): downsampled(downsampler, progress, now: now, &directives)
        }
    }

    /// Should the receipt prove right, the sinks' accounts must know whose readings a peer uploaded.
    private mutating func digested(
        _ log: LogName, _ range: Range<Offset>, _ devices: SendDevices?, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        let isOwn = !ring.isCopy(log.log)
        for index in sinks.indices where isOwn {
            if let devices { sinks[index].account.learn(devices) }
        }
        stepDuty(.digested(log, range, devices?.digest), now: now, &directives)
        for index in sinks.indices where isOwn {
            let machine = sinks[index].machine
            sinks[index].account.forget { !machine.isUnderWay($0, $1) }
        }
    }

    private mutating func drop(
        _ log: LogID, at index: Int, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard sinks[index].relayed.remove(log) != nil else { return }
        stepUpload(index, .dropped(log), now: now, &directives)
        putState(sinks[index].progressKey(log, isCopy: true), [])
    }

    // MARK: Storing

    private mutating func store(
        _ id: FetchID, _ log: LogName, _ bytes: [UInt8], _ ranges: OffsetRanges, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        let isOwn = ring.isOwn(log.log)
        guard let chunk = try? LogChunk.decode(bytes), chunk.name == log, OffsetRanges(chunk.range) == ranges,
            !isOwn || name(of: log.log) == log
        else { return stepReplication(.refused(id, .damaged), now: now, &directives) }
        do throws(RingError) {
            let new = try ring.store(log, first: chunk.first, readings: chunk.readings, anchors: chunk.anchors)
            // What is here or on its way already needs nothing more than its event.
            if !new.isEmpty, let cluster { want(by: now.advanced(by: cluster.setup.copyWindow)) }
            for (index, reading) in chunk.readings.enumerated() where !isOwn {
                let offset = chunk.first.advanced(by: index)
                noteCopy(StoredReading(log: log.log, offset: offset, reading: reading), of: log.node)
            }
        } catch {
            let refusal: StoreRefusal =
                switch error {
                case .notACopy, .entryTooLarge: .damaged
                default: .noRoom
                }
            stepReplication(.refused(id, refusal), now: now, &directives)
        }
    }

    /// A part of a copy has become durable.
    mutating func copied(
        _ log: LogName, _ range: Range<Offset>, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        stepReplication(.held(log, range), now: now, &directives)
        holdingsChanged(log, now: now, &directives)
    }

    /// A part of a log is no longer here.
    mutating func gone(
        _ log: LogID, _ range: Range<Offset>, _ reason: LossReason, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        guard let name = name(of: log) else { return }
        stepReplication(.lost(name, range, reason), now: now, &directives)
        holdingsChanged(name, now: now, &directives)
    }

    /// Duty and, for copies, the upload machines work with what is here.
    mutating func holdingsChanged(
        _ log: LogName, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard cluster != nil else { return }
        let held = ring.ranges(of: log.log)
        if let copy = ring.copiedLog(log.log) {
            for index in sinks.indices {
                if held.isEmpty {
                    drop(log.log, at: index, now: now, &directives)
                } else {
                    relay(copy, held, at: index, now: now, &directives)
                }
            }
        }
        stepDuty(.holds(log, OffsetRanges(held)), now: now, &directives)
        // A copy that no sink must have may make room for the next one.
        if sinks.allSatisfy({ !$0.isRequired }) { release(log.log) }
    }

    private mutating func relay(
        _ copy: CopiedLog, _ held: [Range<Offset>], at index: Int, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        if !sinks[index].relayed.contains(copy.log) {
            sinks[index].relayed.insert(copy.log)
            stepUpload(index, .paused(copy.log, true), now: now, &directives)
        }
        stepUpload(index, .relayed(copy.log, held: held, end: copy.end), now: now, &directives)
    }

    // MARK: Names

    /// Whose log it is; `nil` for a copy that damage left without a name.
    func name(of log: LogID) -> LogName? {
        guard let node = cluster?.setup.node else { return nil }
        if ring.isCopy(log) { return ring.owner(ofCopy: log).map { LogName(node: $0, log: log) } }
        return LogName(node: formerNodes[log] ?? node, log: log)
    }

    // MARK: Holds

    private mutating func keepHold(
        _ id: HoldID, _ log: LogName, _ ranges: OffsetRanges, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        var record: [UInt8] = []
        ranges.append(to: &record, limit: 16)
        guard let version = putState(StateKey(StateKind.hold, log.log.description), record) else { return }
        cluster?.keptHolds.append((id, version))
        touchState(now: now)
    }

    /// Small records up to this version are durable.
    mutating func keptHolds(_ version: UInt64, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let kept = cluster?.keptHolds.filter({ $0.version <= version }), !kept.isEmpty else { return }
        cluster?.keptHolds.removeAll { $0.version <= version }
        for hold in kept { stepReplication(.holdKept(hold.id), now: now, &directives) }
    }
}
