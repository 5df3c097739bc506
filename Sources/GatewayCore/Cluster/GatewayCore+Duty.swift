import Environment
import GossipState
import LogFormat
import Model
import Replication
import RingLog
import Sinks

// Who uploads what: the roster decides, the upload machines send.
extension GatewayCore {
    mutating func stepDuty(_ event: DutyEvent, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        let steps = cluster?.duty.step(event, now: now, using: &random) ?? []
        // First, for what is carried out below may step the same machine again, whose word is then the newer one.
        for case .wake(let moment) in steps { cluster?.wakes.duty = moment }
        for directive in steps {
            switch directive {
            case .wake: break
            case .start(let sink, let log): setDuty(sink, log, .paused(log.log, false), now: now, &directives)
            case .stop(let sink, let log): setDuty(sink, log, .paused(log.log, true), now: now, &directives)
            case .allow(let sink, let log, let chunks):
                setDuty(sink, log, .allow(log.log, chunks: chunks), now: now, &directives)
            case .settle(let sink, let log, let range, let isRefused):
                let event: UploadEvent =
                    isRefused ? .refusedToPeer(log.log, range) : .delivered(log.log, range)
                setDuty(sink, log, event, now: now, &directives)
                noteUnsettled(log)
            case .digest(let log, let range): read(.digest, log, range, &directives)
            case .publish(let key, let claim):
                let name = StateName(ClusterSpace.uploads, key.bytes)
                publish(claim.encode(), as: name, forHoldersOf: key.log, now: now, &directives)
                let version = cluster?.gossip.version ?? 0
                stepDuty(.published(key, version: version), now: now, &directives)
            case .withdraw(let key):
                withdraw(StateName(ClusterSpace.uploads, key.bytes), now: now, &directives)
            case .reached(let sink):
                guard let index = cluster?.setup.sinks.firstIndex(of: sink) else { break }
                stepUpload(index, .reachedByPeer, now: now, &directives)
            case .alarm(let text): directives.append(.report(Report(.warning, text)))
            }
        }
    }

    private mutating func setDuty(
        _ sink: SinkID, _ log: LogName, _ event: UploadEvent, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        guard let index = cluster?.setup.sinks.firstIndex(of: sink) else { return }
        stepUpload(index, event, now: now, &directives)
    }

    /// Readings came to an end at a sink: here, or as a peer has proved.
    mutating func tellDuty(
        _ index: Int, _ settled: SettledRange, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard let sink = cluster?.setup.sinks[index], let log = name(of: settled.log) else { return }
        noteUnsettled(log)
        // What was uploaded from here is told by its receipt, and what a peer proved the roster knows.
        if settled.fate == .uploaded || settled.isByPeer { return }
        let event: DutyEvent =
            settled.fate == .refused
            ? .refused(sink, log, settled.range)
            : .settled(sink, log, OffsetRanges(settled.range), isUploaded: false)
        stepDuty(event, now: now, &directives)
    }

    /// A sink took what was sent from here.
    mutating func tellReceipt(
        _ index: Int, _ log: LogID, _ range: Range<Offset>, digest: UInt64?, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        guard let sink = cluster?.setup.sinks[index], let log = name(of: log) else { return }
        noteUnsettled(log)
        stepDuty(.uploaded(sink, log, range, digest: digest), now: now, &directives)
    }

    private mutating func noteUnsettled(_ log: LogName) {
        if cluster?.unsettled.contains(log) == false { cluster?.unsettled.append(log) }
    }

    /// Tells peers which sinks this gateway has, and which of them it reaches, where that is news.
    mutating func tellSinks(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard cluster?.hasBegun ?? false else { return }
        for index in sinks.indices {
            let until = sinks[index].machine.breaker.retryAt.flatMap { $0 > now ? $0 : nil }
            guard until != cluster?.waits[index], let sink = cluster?.setup.sinks[index] else { continue }
            cluster?.waits[index] = until
            stepDuty(.waiting(sink, until: until), now: now, &directives)
        }
        // After every step, so nothing is copied for it as long as there is no news.
        let told = cluster?.sinks ?? []
        let isTold = sinks.indices.allSatisfy { index in
            index < told.count && told[index].isReachable == sinks[index].machine.breaker.isReachable(at: now)
        }
        guard !isTold, let setup = cluster?.setup else { return }
        let statuses = zip(setup.sinks, sinks).map { sink, state in
            let isReachable = state.machine.breaker.isReachable(at: now)
            return SinkStatus(sink: sink, isRequired: state.isRequired, isReachable: isReachable)
        }
        cluster?.sinks = statuses
        stepDuty(.sinks(of: setup.node, statuses), now: now, &directives)
        publish(SinkStatus.encode(statuses), as: StateName(ClusterSpace.sinks, [0]), now: now, &directives)
    }

    /// Logs that came closer to their release: what no required sink of the covey lacks is not copied any more, and may be evicted as
    /// soon as the progress that says so is durable.
    mutating func settleLogs(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let unsettled = cluster?.unsettled, !unsettled.isEmpty else { return }
        cluster?.unsettled.removeAll(keepingCapacity: true)
        for log in unsettled {
            if sinks.isEmpty { release(log.log) }
            guard let upTo = cluster?.duty.releasable(log), upTo > .zero else { continue }
            stepReplication(.settled(log, upTo), now: now, &directives)
        }
    }

    /// Below this every required sink has what is here of a log.
    func settledStart(of log: LogName) -> Offset { cluster?.duty.releasableHere(log) ?? .zero }

    /// Readings of the current log below this may be acknowledged once they are durable here: as many disks have them as the source is
    /// promised, or every sink that must have them. What this gateway has no more, given up or taken by the sinks while there was no
    /// disk, holds up nobody: no peer can ask for it.
    var acknowledgedEnd: Offset {
        guard let log = cluster?.told?.log else { return Offset(.max) }
        return acknowledgedEnd(of: log)
    }

    /// The same of any log that this process wrote.
    func acknowledgedEnd(of log: LogName) -> Offset {
        guard let cluster, cluster.setup.acks > 1 else { return Offset(.max) }
        var end = cluster.answered.flatMap { $0.log == log ? $0.end : nil } ?? .zero
        while true {
            end = cluster.replicator.replicatedEnd(of: log, copies: cluster.setup.acks, from: end)
            guard let gap = ring.gaps(of: log.log).first(where: { $0.range.contains(end) })
            else { break }
            end = gap.range.upperBound
        }
        return max(end, cluster.duty.releasable(log) ?? .zero)
    }
}
