import Environment
import LogFormat
import Model
import RingLog
import Sinks

@testable import GatewayCore

/// What a history has shown so far, and what it broke.
final class Checks {
    var failures: [String] = []
    /// Every reading seen under its key, wherever: on the disk, in a directive, at a sink.
    var known: [Key: Reading] = [:]
    var keyOfValue: [Int: Key] = [:]
    /// Reported durable, or found on the disk by a later process.
    var durable: Set<Key> = []
    /// Went to a sink, or was acknowledged, without a disk.
    var fromMemory: Set<Key> = []
    var storedByDevice: [DeviceID: UInt64] = [:]
    var poisonByDevice: [DeviceID: UInt64] = [:]
    private var countedKeys: Set<Key> = []
    var lives: [LogID: Int] = [:]
    var watermarks: [Int: [LogID: Offset]] = [:]
    var born: [Int: Int64] = [:]
    var writes = 0
    var unreadable = 0
    var restarts = 0

    func fail(_ check: String, _ text: String) {
        if failures.count < 5 { failures.append("\(check): \(text)") }
    }

    func learn(_ stored: StoredReading, _ site: Site) {
        let key = Key(stored)
        if let before = known[key], before != stored.reading {
            site.fail("same key, same reading (S2)", "\(key): \(before), then \(stored.reading)")
        }
        known[key] = stored.reading
        guard case .number(let number) = stored.reading.value else { return }
        if let other = keyOfValue[Int(number)], other != key, !fromMemory.contains(other), !fromMemory.contains(key) {
            site.fail("a message is stored once", "\(number) as \(other) and \(key)")
        }
        if keyOfValue[Int(number)] != key, Site.isPoison(stored.reading) {
            poisonByDevice[stored.reading.series.device, default: 0] += 1
        }
        keyOfValue[Int(number)] = key
        if durable.contains(key), countedKeys.insert(key).inserted {
            storedByDevice[stored.reading.series.device, default: 0] += 1
        }
    }
}

extension Site {
    /// A new process: what was durable is there, in full, and all counts are what they should be.
    func checkStart(_ core: GatewayCore) {
        checks.restarts += 1
        checks.watermarks = [:]
        var readable: Set<Key> = []
        for log in core.ring.logs {
            if checks.lives[log.log] == nil { checks.lives[log.log] = 0 }
            for reading in readAll(log, core.ring) {
                readable.insert(Key(reading))
                checks.durable.insert(Key(reading))
                checks.learn(reading, self)
            }
        }
        let ages = core.ring.logs.compactMap { checks.lives[$0.log] }
        if ages != ages.sorted() { fail("logs come in the order of their age", "\(ages)") }
        let gone = gaps(core.ring)
        for key in checks.durable where !readable.contains(key) && gone[key] == nil {
            return fail("what is durable survives (S1)", "\(key) is neither held nor in a gap")
        }
        // Of refused readings only the last are known by name after a restart.
        if gone.isEmpty, !faults.poison, !wasMemoryOnly {
            for sink in core.sinks where sink.account.unattributed.settled > 0 {
                fail("a start finds every stream again", "\(sink.name): \(sink.account.unattributed)")
            }
        }
        for (key, reason) in gone where reason == .damaged {
            return fail("no damage without a fault", "\(key)")
        }
        checkLedger(core)
    }

    func readAll(_ log: LogSummary, _ ring: RingLog) -> [StoredReading] {
        var found: [StoredReading] = []
        var from = Offset.zero
        while from < log.end {
            let result = ring.readPlan(log: log.log, range: from..<log.end, limit: 500).perform(on: disk)
            if !result.damage.isEmpty || result.overwritten || result.failure != nil {
                fail("what is held can be read", "\(log.log) from \(from): \(result.damage)")
            }
            found += result.readings
            guard result.next > from else { break }
            from = result.next
        }
        return found
    }

    func gaps(_ ring: RingLog) -> [Key: GapReason] {
        var gone: [Key: GapReason] = [:]
        for log in ring.logs {
            for gap in ring.gaps(of: log.log) {
                for offset in gap.range.lowerBound.rawValue..<gap.range.upperBound.rawValue {
                    gone[Key(log.log, offset)] = gap.reason
                }
            }
        }
        return gone
    }

    /// After every step.
    func checkStep() {
        guard let core else { return }
        checkBounds(core)
        checkLedger(core)
        if let log = core.ring.currentLog {
            if let other = checks.lives[log], other != life {
                fail("log ids are never used again (S7)", "\(log) in life \(other) and now")
            }
            checks.lives[log] = life
        }
        for index in core.sinks.indices { checkWatermarks(index, core) }
    }

    private func checkLedger(_ core: GatewayCore) {
        if !core.ledger.isBalanced { fail("received = waiting + settled", "\(core.ledger.total)") }
        for index in core.sinks.indices {
            if let text = core.imbalance(at: index) { fail("the second equation holds for every stream", text) }
            checkStreams(index, core)
        }
        for sink in core.sinks where !sink.machine.counts.isBalanced {
            fail("stored = uploaded + pending + lost", "\(sink.machine.counts)")
        }
        guard !wasMemoryOnly else { return }
        for device in core.ledger.devices where core.ledger[device].stored != checks.storedByDevice[device] ?? 0 {
            fail(
                "the ledger counts every durable reading",
                "\(device): \(core.ledger[device].stored), durable \(checks.storedByDevice[device] ?? 0)")
        }
        let stored = core.ledger.total.stored
        for sink in core.sinks where sink.machine.counts.stored != stored {
            fail(
                "both equations speak of the same readings", "\(sink.name): \(sink.machine.counts.stored) of \(stored)")
        }
    }

    /// No stream is said to have met an end that its readings have not met.
    private func checkStreams(_ index: Int, _ core: GatewayCore) {
        for (device, counts) in core.sinks[index].account.streams where device != Ledger.unattributed {
            let name = "\(device) at \(core.sinks[index].name)"
            let there = sinks[index].storedByDevice[device] ?? 0
            if counts.uploaded > there {
                fail("a stream's uploaded readings are at the sink", "\(name): \(counts), \(there)")
            }
            let bad = checks.poisonByDevice[device] ?? 0
            if counts.refused > bad { fail("a stream's refused readings are bad ones", "\(name): \(counts), \(bad)") }
        }
    }

    private func checkBounds(_ core: GatewayCore) {
        let logs = core.ring.logs.count
        let bounds = [
            ("pending", core.pending.count, 4000), ("backlog", core.backlog.count, sources.count),
            ("tickets", core.tickets.count, 2), ("dirty progress", core.dirtyProgress.count, logs * sinks.count),
            ("promises", core.promises.count, 64), ("undated", core.undated.count, 33), ("held", core.held.count, logs),
        ]
        for (name, count, most) in bounds where count > most { fail("memory is bounded (S12)", "\(name): \(count)") }
    }

    /// What a sink is said to have, it has, or it is counted lost.
    private func checkWatermarks(_ index: Int, _ core: GatewayCore) {
        var gone: [Key: GapReason]?
        for log in core.ring.logs {
            let before = checks.watermarks[index]?[log.log] ?? .zero
            let watermark = core.sinks[index].machine.releasable(log.log)
            guard before != watermark else { continue }
            if watermark < before { fail("a watermark never goes back (S9)", "\(before) to \(watermark)") }
            checks.watermarks[index, default: [:]][log.log] = watermark
            for offset in before.rawValue..<max(before, watermark).rawValue {
                let key = Key(log.log, offset)
                if sinks[index].stored[key] != nil { continue }
                if let reading = checks.known[key], faults.poison, Self.isPoison(reading) { continue }
                if gone == nil { gone = gaps(core.ring) }
                if gone?[key] == nil {
                    return fail("the watermark is below what the sink has (S3)", "\(key) at \(core.sinks[index].name)")
                }
            }
        }
    }

    func checkSend(_ request: SendRequest) {
        guard let core, request.log == core.ring.currentLog, !core.isMemoryOnly, !wasMemoryOnly else { return }
        if request.range.upperBound > core.ring.durableEnd {
            fail("nothing is sent before it is synced", "\(request.range), durable \(core.ring.durableEnd)")
        }
    }

    func checkRead(_ request: SendRequest, _ readings: [StoredReading]) {
        guard let core else { return }
        var expected = request.range.lowerBound
        let wait = core.settings.clockWait.nanoseconds / 32 * 31
        for reading in readings {
            if reading.log != request.log || reading.offset != expected {
                return fail("a send holds what was asked", "\(reading.offset) where \(expected) belongs")
            }
            expected = expected.advanced(by: 1)
            checks.learn(reading, self)
            guard case .number(let value) = reading.reading.value, reading.reading.stamp.boot == boot else { continue }
            let since = max(checks.born[Int(value)] ?? 0, lifeStart)
            if !core.ring.time(of: reading.reading.stamp).isTrusted, time - since < wait {
                fail("an undated reading waits for the clock", "\(reading.offset) after \(time - since) ns")
            }
        }
    }

    func checkAcknowledged(_ message: Message) {
        for reading in message.readings {
            guard case .number(let value) = reading.value, let key = checks.keyOfValue[Int(value)] else {
                return fail("a ticket is settled after the commit", "\(reading.value) has no place")
            }
            if checks.durable.contains(key) { continue }
            let judges = sinks.contains { $0.setup.isRequired } ? sinks.filter { $0.setup.isRequired } : sinks
            let isPoisoned = faults.poison && Self.isPoison(reading)
            for sink in judges where sink.stored[key] == nil && !isPoisoned {
                fail("without a disk a ticket waits for the sinks", "\(key) is not at \(sink.setup.name)")
            }
        }
    }

    func checkRest() {
        guard let core else { return fail("comes to rest", "there is no process") }
        if !isAtRest {
            let pending = core.sinks.map { "\($0.name) \($0.machine.counts)" }
            let open = sources.map { "\($0.name) \($0.inFlight.count) \($0.ticket?.rawValue ?? 0)" }
            fail(
                "comes to rest",
                "quiet \(core.isQuiet), pending \(core.pending.count), backlog \(core.backlog.count), writing "
                    + "\(core.isWriting), tickets \(core.tickets.count), \(open), \(pending), cut \(String(describing: core.nextCut))"
            )
        }
    }

    /// Everything settled is at every sink once, or counted.
    func checkEnd() {
        guard let core, checks.failures.isEmpty else { return }
        let gone = gaps(core.ring)
        for (index, sink) in sinks.enumerated() {
            var missing: UInt64 = 0
            for key in checks.durable.sorted(by: { ($0.log, $0.offset) < ($1.log, $1.offset) })
            where sink.stored[key] == nil {
                missing += 1
                if let reading = checks.known[key], faults.poison, Self.isPoison(reading) { continue }
                switch gone[key] {
                case .evicted: continue
                case .uploaded where !sink.setup.isRequired: continue
                default:
                    return fail(
                        "no silent gap (S6)", "\(key) is not at \(sink.setup.name): \(String(describing: gone[key]))")
                }
            }
            let counts = core.sinks[index].machine.counts
            let lost = counts.refused + counts.evictedTotal + counts.damaged + counts.pending
            if !wasMemoryOnly, lost < missing {
                fail("every loss is counted", "\(missing) missing at \(sink.setup.name), counted \(lost)")
            }
            if sink.setup.isRequired, counts.evicted.contains(where: { $0.reason != "ring-full" }), !wasMemoryOnly {
                fail("what was released is counted as uploaded", "\(counts.evicted)")
            }
            if counts.uploaded > sink.stored.count {
                fail("uploaded is at the sink", "\(counts.uploaded) uploaded, \(sink.stored.count) there")
            }
        }
    }
}
