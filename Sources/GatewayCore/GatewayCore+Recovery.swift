package import Environment
import LogFormat
package import Model
package import RingLog
package import Sinks

extension GatewayCore {
    /// What a core is told about one sink.
    package struct SinkSetup: Sendable {
        package let name: String
        package let isRequired: Bool
        package let settings: UploadSettings

        package init(name: String, isRequired: Bool, settings: UploadSettings) {
            self.name = name
            self.isRequired = isRequired
            self.settings = settings
        }
    }

    /// Takes over an opened ring: restores counters and upload progress, and finds what must still be uploaded. Reads through `disk`
    /// at most the readings of the last blocks, so it blocks; call it on a storage thread.
    ///
    /// - Parameter cluster: How to take part in a covey; `nil` for a gateway alone.
    /// - Parameter boot: The present run of the kernel; readings of others have no anchor to wait for. `nil` where that is not known.
    /// - Returns: The core, and the directives that the sinks want performed at once.
    package static func resume(
        ring: RingLog, disk: any Disk, sinks: [SinkSetup], settings: Settings, random: SeededRandom,
        boot: BootID? = nil, cluster: ClusterSetup? = nil, now: MonotonicInstant
    ) -> (core: GatewayCore, directives: [GatewayDirective]) {
        var core = GatewayCore(
            settings: settings, ring: ring,
            sinks: sinks.map { SinkState(name: $0.name, isRequired: $0.isRequired, settings: $0.settings) },
            random: random, uploadWakes: sinks.map { _ in nil })
        core.startedAt = now
        core.startScrubbing(now: now)
        core.downsampling = core.settings.downsampleWindow.map(Downsampling.init)
        core.restoreLedger(disk: disk)
        var directives: [GatewayDirective] = []
        for index in core.sinks.indices { core.restoreTotals(index, &directives) }
        core.forgetLogs(now: now)
        // In a covey every log waits for its duty.
        if cluster != nil {
            core.holdsReleases = true
            core.pauseUploads(now: now, &directives)
        }
        core.restoreUploads(disk: disk, boot: boot, now: now, &directives)
        core.reconcileAccounts(disk: disk, now: now)
        if let cluster { core.joinCovey(cluster, now: now, &directives) }
        // A ring that was opened without a disk to write to says so before anything else happens.
        core.handle(core.ring.takeEvents(), now: now, &directives)
        core.announceWake(now: now, &directives)
        return (core, directives)
    }

    private mutating func restoreLedger(disk: any Disk) {
        var since: LedgerPosition?
        var positions: [DeviceID: LedgerPosition] = [:]
        for (key, value) in ring.states {
            switch key.kind {
            case StateKind.stream:
                guard let record = StreamRecord(value) else { break }
                ledger.restore(record.counts, for: DeviceID(key.name))
                positions[DeviceID(key.name)] = record.position
            case StateKind.wear: earlierWear = Wear(value) ?? Wear()
            case StateKind.ledgerPosition: since = LedgerPosition(record: value)
            case StateKind.session:
                var rest = value[...]
                sessions[key.name] = takeVarint(&rest) ?? 0
            default: break
            }
        }
        countSince(since, positions, disk: disk)
    }

    /// Readings of a start's reads: a merged block has up to 16,384, and is decoded anew for each read.
    static let readAtOnce = 4096

    /// Counts the readings that were committed after their stream's counts were last taken: those of the last blocks.
    private mutating func countSince(
        _ since: LedgerPosition?, _ positions: [DeviceID: LedgerPosition], disk: any Disk
    ) {
        let logs = ring.logs
        /// A log that is forgotten is older than all others.
        func place(_ position: LedgerPosition?) -> (log: Int, offset: Offset) {
            guard let position, let log = logs.firstIndex(where: { $0.log == position.log }) else { return (0, .zero) }
            return (log, position.offset)
        }
        let start = place(since)
        let places = positions.mapValues { place($0) }
        for index in logs.indices.dropFirst(start.log) {
            let log = logs[index]
            var from = index == start.log ? start.offset : .zero
            while from < log.end {
                let result = ring.readPlan(log: log.log, range: from..<log.end, limit: Self.readAtOnce).perform(
                    on: disk)
                for stored in result.readings {
                    let device = stored.reading.series.device
                    if let place = places[device], place > (index, stored.offset) { continue }
                    ledger.recover(1, from: device)
                    // Their turn comes with the first commit: lives that are short must not add up to readings that the ring has no more.
                    uncountedReadings = settings.countsReadings
                }
                guard result.next > from else { break }
                from = result.next
            }
        }
        counted = logs.last.map { LedgerPosition(log: $0.log, offset: $0.end) }
    }

    private mutating func restoreUploads(
        disk: any Disk, boot: BootID?, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        for log in ring.logs {
            for index in sinks.indices {
                restoreProgress(index, log.log, &directives)
                reopen(index, log.log, now: now)
                stepUpload(index, .opened(log.log, end: log.end, ready: .zero, isCurrent: false), now: now, &directives)
                for gap in ring.gaps(of: log.log) {
                    stepUpload(index, .lost(gap.log, gap.range, gap.loss), now: now, &directives)
                }
                // Taken by this sink out of the RAM of a process that had no disk: what of it lies between never came here.
                let known = Offset(sinks[index].machine.counts(log.log).stored)
                if known > log.end {
                    let gone = UploadEvent.lost(log.log, log.end..<known, .evicted(reason: "never-on-disk"))
                    stepUpload(index, gone, now: now, &directives)
                }
            }
            let ready = firstUndated(log, boot: boot, disk: disk) ?? log.end
            if ready < log.end { held.append((log.log, log.end, now.advanced(by: settings.clockWait))) }
            for index in sinks.indices {
                stepUpload(index, .extended(log.log, end: log.end, ready: ready), now: now, &directives)
                stepUpload(index, .closed(log.log), now: now, &directives)
            }
            release(log.log)
        }
    }

    /// What a sink was told is damaged, and can be read again.
    private mutating func reopen(_ index: Int, _ log: LogID, now: MonotonicInstant) {
        guard sinks[index].machine.reopen(log, ring.returned(of: log), lost: ring.losses(of: log)) else { return }
        dirtyProgress.append(ProgressRef(sink: index, log: log))
        touchState(now: now)
    }

    /// The first reading of a log that some sink lacks and that an anchor of this run of the kernel may yet date.
    private func firstUndated(_ log: LogSummary, boot: BootID?, disk: any Disk) -> Offset? {
        guard let from = sinks.map({ $0.machine.releasable(log.log) }).min(), from < log.end else { return nil }
        for run in ring.undatedRuns(of: log.log, from: from) {
            let found = ring.readPlan(log: log.log, range: run.lowerBound..<run.lowerBound.advanced(by: 1), limit: 1)
                .perform(on: disk)
            guard let stamp = found.readings.first?.reading.stamp else { continue }
            let asked = Stamp(
                boot: stamp.boot, uptime: stamp.uptime, wallOffset: stamp.wallOffset, isTrusted: false)
            if boot.map({ $0 == stamp.boot }) ?? true, !ring.time(of: asked).isTrusted { return run.lowerBound }
        }
        return nil
    }

    /// Logs that the ring has forgotten, with all their readings gone: their counts move to the totals, their progress goes. The
    /// ring never remembers them again, so that a ring which starts ten thousand times stays as small as its readings.
    ///
    /// Totals and removals may come to the disk in different blocks: the totals name what they have taken in last.
    private mutating func forgetLogs(now: MonotonicInstant) {
        let known = Set(ring.logs.map(\.log))
        for index in sinks.indices {
            let (state, sink) = (ring, sinks[index])
            sinks[index].absorbed.removeAll { state.state(sink.progressKey($0)) == nil }
        }
        let copies = Set(ring.copies.map(\.log))
        for (key, _) in ring.states where key.kind == StateKind.copyProgress {
            if !(ProgressName(key.name).map { copies.contains($0.log) } ?? false) { putState(key, []) }
        }
        for (key, value) in ring.states where key.kind == StateKind.progress {
            guard let name = ProgressName(key.name), !known.contains(name.log) else { continue }
            if let index = sinks.firstIndex(where: { $0.name == name.sink }) {
                if !sinks[index].absorbed.contains(name.log) {
                    guard sinks[index].absorbed.count < SinkTotals.mostRecent else { continue }
                    absorb(value, of: name.log, into: index, now: now)
                }
                putState(sinks[index].totalsKey, sinks[index].totals)
            }
            putState(key, [])
        }
    }

    private mutating func absorb(_ progress: [UInt8], of log: LogID, into index: Int, now: MonotonicInstant) {
        guard (try? sinks[index].machine.restore(log, progress)) != nil else { return }
        let end = Offset(sinks[index].machine.counts(log).stored)
        let events: [UploadEvent] = [
            .opened(log, end: end, ready: .zero, isCurrent: false),
            .lost(log, .zero..<end, .evicted(reason: "forgotten")), .closed(log), .forgotten(log),
        ]
        for event in events { _ = sinks[index].machine.step(event, now: now, using: &random) }
        sinks[index].absorbed.append(log)
    }

    private mutating func restoreTotals(_ index: Int, _ directives: inout [GatewayDirective]) {
        guard let record = ring.state(sinks[index].totalsKey) else { return }
        let totals = SinkTotals(record)
        sinks[index].absorbed = totals.recent
        do {
            try sinks[index].machine.restoreTotals(totals.counts)
        } catch {
            let text = "the totals of sink \(sinks[index].name) cannot be read and begin anew: \(error)"
            directives.append(.report(Report(.error, text)))
        }
    }

    mutating func restoreProgress(
        _ index: Int, _ log: LogID, isRelayed: Bool = false, _ directives: inout [GatewayDirective]
    ) {
        guard let record = ring.state(sinks[index].progressKey(log, isCopy: isRelayed)) else { return }
        do {
            try sinks[index].machine.restore(log, record, isRelayed: isRelayed)
        } catch {
            let text =
                "the progress of sink \(sinks[index].name) in log \(log) cannot be read; it is sent again: \(error)"
            directives.append(.report(Report(.error, text)))
        }
    }
}

extension GatewayCore {
    /// The node id that a ring remembers, should the key-value store have lost it.
    package static func keptNode(in ring: RingLog) -> NodeID? {
        ring.state(StateKey(StateKind.node, "")).flatMap { NodeID(hex: String(decoding: $0, as: UTF8.self)) }
    }

    /// The node ids under which the ring's own logs were written, where that is no longer ``keptNode(in:)``.
    package static func formerNodes(in ring: RingLog) -> [LogID: NodeID] {
        var nodes: [LogID: NodeID] = [:]
        for (key, value) in ring.states where key.kind == StateKind.formerNode {
            if let log = LogID(hex: key.name), let node = NodeID(record: value) { nodes[log] = node }
        }
        return nodes
    }

    /// The gateway's name when it last ran on this ring.
    package static func keptName(in ring: RingLog) -> String? {
        ring.state(StateKey(StateKind.name, "")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Lets the ring remember whose it is.
    package mutating func keep(_ node: NodeID, name: String) {
        let records = [(StateKind.node, Array(node.description.utf8)), (StateKind.name, Array(name.utf8))]
        for (kind, value) in records where ring.state(StateKey(kind, "")) != value {
            putState(StateKey(kind, ""), value)
        }
    }
}
