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
    /// at most the readings of the last block, so it blocks; call it on a storage thread.
    ///
    /// - Returns: The core, and the directives that the sinks want performed at once.
    package static func resume(
        ring: RingLog, disk: any Disk, sinks: [SinkSetup], settings: Settings, random: SeededRandom,
        now: MonotonicInstant
    ) -> (core: GatewayCore, directives: [GatewayDirective]) {
        var core = GatewayCore(
            settings: settings, ring: ring,
            sinks: sinks.map { SinkState(name: $0.name, isRequired: $0.isRequired, settings: $0.settings) },
            random: random, uploadWakes: sinks.map { _ in nil })
        core.restoreLedger(disk: disk)
        var directives: [GatewayDirective] = []
        core.restoreUploads(now: now, &directives)
        core.announceWake(&directives)
        return (core, directives)
    }

    private mutating func restoreLedger(disk: any Disk) {
        var position: LedgerPosition?
        for (key, value) in ring.states {
            switch key.kind {
            case StateKind.stream:
                ledger.restore(StreamCounts(record: value) ?? StreamCounts(), for: DeviceID(key.name))
            case StateKind.ledgerPosition: position = LedgerPosition(record: value)
            case StateKind.session:
                var rest = value[...]
                sessions[key.name] = takeVarint(&rest) ?? 0
            default: break
            }
        }
        countSince(position, disk: disk)
    }

    /// Counts the readings that were committed after the stream counts were last taken: those of the last block.
    private mutating func countSince(_ position: LedgerPosition?, disk: any Disk) {
        let logs = ring.logs
        let first = position.flatMap { position in logs.firstIndex { $0.log == position.log } } ?? 0
        guard let last = logs.last else { return }
        for log in logs[first...] {
            var from = log.log == position?.log ? position?.offset ?? .zero : .zero
            while from < log.end {
                let result = ring.readPlan(log: log.log, range: from..<log.end, limit: Limits.chunkReadings).perform(
                    on: disk)
                forEachRun(of: result.readings.map(\.reading)) { ledger.recover($1, from: $0) }
                guard result.next > from else { break }
                from = result.next
            }
        }
        putState(
            StateKey(StateKind.ledgerPosition, ""), LedgerPosition(log: last.log, offset: last.end).record)
    }

    private mutating func restoreUploads(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        for index in sinks.indices {
            restoreTotals(index, &directives)
            for log in ring.logs {
                restoreProgress(index, log.log, &directives)
                stepUpload(
                    index, .opened(log.log, end: log.end, ready: log.end, isCurrent: false), now: now, &directives)
                stepUpload(index, .closed(log.log), now: now, &directives)
                if log.start > .zero {
                    let gone = UploadEvent.lost(log.log, .zero..<log.start, .evicted(reason: "gone-at-start"))
                    stepUpload(index, gone, now: now, &directives)
                }
                for gap in ring.gaps(of: log.log) {
                    stepUpload(index, .lost(gap.log, gap.range, gap.loss), now: now, &directives)
                }
            }
        }
        for log in ring.logs { release(log.log) }
    }

    private mutating func restoreTotals(_ index: Int, _ directives: inout [GatewayDirective]) {
        guard let record = ring.state(sinks[index].totalsKey) else { return }
        do {
            try sinks[index].machine.restoreTotals(record)
        } catch {
            let text = "the totals of sink \(sinks[index].name) cannot be read and begin anew: \(error)"
            directives.append(.report(Report(.error, text)))
        }
    }

    private mutating func restoreProgress(_ index: Int, _ log: LogID, _ directives: inout [GatewayDirective]) {
        guard let record = ring.state(sinks[index].progressKey(log)) else { return }
        do {
            try sinks[index].machine.restore(log, record)
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

    /// The gateway's name when it last ran on this ring.
    package static func keptName(in ring: RingLog) -> String? {
        ring.state(StateKey(StateKind.name, "")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Lets the ring remember whose it is.
    package mutating func keep(_ node: NodeID, name: String) {
        putState(StateKey(StateKind.node, ""), Array(node.description.utf8))
        putState(StateKey(StateKind.name, ""), Array(name.utf8))
    }
}
