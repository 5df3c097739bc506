import GatewayCore
import LogFormat
import Model
import Replication
import RingLog
import Sinks

extension World {
    /// A new process: what was durable is there in full, or named as gone, and all counts are what they should be.
    func checkStart(_ gateway: SimulatedGateway) {
        gateway.watermarks = gateway.watermarks.map { _ in [:] }
        gateway.restored = 0
        gateway.currentLog = nil
        gateway.beliefs = [:]
        guard let ring = gateway.core?.ring else { return }
        let scan = scan(ring, of: gateway)
        checkSurvival(gateway, ring, scan)
        guard let core = gateway.core else { return }
        let isWhole = scan.gone.isEmpty && !scenario.faults.contains(.poison)
        if isWhole, !gateway.history.wasMemoryOnly, !gateway.history.isDishonest {
            // Of refused readings only the last are known by name after a restart.
            for sink in core.sinks where sink.account.unattributed.settled > 0 {
                fail(.countsBalance, gateway, "a start does not find every stream: \(sink.account.unattributed)")
            }
        }
    }

    /// What a disk really holds, found by reading all of it.
    struct Scan {
        var readable: Set<Key> = []
        var gone: [Key: GapReason] = [:]
    }

    func scan(_ ring: RingLog, of gateway: SimulatedGateway) -> Scan {
        var scan = Scan()
        var ages: [Int] = []
        // What an earlier process wrote, and a refusing disk has not synced, can be read and may yet be lost.
        let isSynced = gateway.disk.pendingSectors == 0
        for log in ring.logs {
            if let book = truth.book(log.log), book.owner == gateway.index { ages.append(book.life) }
            for reading in readAll(log.log, .zero..<log.end, ring, of: gateway) {
                scan.readable.insert(Key(reading))
                learn(reading, from: gateway)
                guard let book = truth.book(reading.log) else { continue }
                let place = Int(reading.offset.rawValue)
                if isSynced {
                    book.fates[place]?.flags.insert(.durable)
                    book.fates[place]?.disks |= gateway.bit
                } else {
                    gateway.history.wasMemoryOnly = true
                    gateway.unsynced.append(Key(reading))
                }
                count(book, place)
            }
            for gap in ring.gaps(of: log.log) {
                for offset in gap.range.lowerBound.rawValue..<gap.range.upperBound.rawValue {
                    scan.gone[Key(log.log, offset)] = gap.reason
                }
            }
        }
        for copy in ring.copies { scanCopy(copy, ring, of: gateway, isSynced: isSynced, &scan) }
        let held = ring.logIDs + ring.copies.map(\.log)
        gateway.holdings = Dictionary(uniqueKeysWithValues: held.map { ($0, OffsetRanges(ring.ranges(of: $0))) })
        if ages != ages.sorted(), !gateway.history.isDishonest {
            fail(.nothingGoesBack, gateway, "logs do not come in the order of their age: \(ages)")
        }
        return scan
    }

    private func scanCopy(
        _ copy: CopiedLog, _ ring: RingLog, of gateway: SimulatedGateway, isSynced: Bool, _ scan: inout Scan
    ) {
        guard let book = truth.book(copy.log) else {
            return fail(.noRottenReading, gateway, "a copy of \(copy.log), which nobody has minted")
        }
        for range in copy.ranges {
            for reading in readAll(copy.log, range, ring, of: gateway) {
                scan.readable.insert(Key(reading))
                learn(reading, from: gateway)
                if isSynced {
                    book.fates[Int(reading.offset.rawValue)]?.disks |= gateway.bit
                } else {
                    gateway.unsynced.append(Key(reading))
                }
            }
        }
        for gap in copy.lost {
            for offset in gap.range.lowerBound.rawValue..<gap.range.upperBound.rawValue {
                scan.gone[Key(copy.log, offset)] = gap.reason
            }
        }
    }

    /// Everything that the truth says is on this disk is there or in a gap.
    func checkSurvival(_ gateway: SimulatedGateway, _ ring: RingLog, _ scan: Scan) {
        for book in truth.books {
            for index in book.fates.indices {
                guard let fate = book.fates[index], fate.disks & gateway.bit != 0 else { continue }
                let key = Key(book.log, UInt64(index))
                if scan.readable.contains(key) { continue }
                book.fates[index]?.disks &= ~gateway.bit
                if gateway.history.isDishonest { continue }
                guard let reason = scan.gone[key] else {
                    return fail(.acknowledgedSurvives, gateway, "\(key) is neither held nor in a gap")
                }
                if reason == .damaged { return fail(.noRottenReading, gateway, "\(key) is damaged without a fault") }
            }
        }
    }

    private func readAll(
        _ log: LogID, _ range: Range<Offset>, _ ring: RingLog, of gateway: SimulatedGateway
    ) -> [StoredReading] {
        var found: [StoredReading] = []
        var from = range.lowerBound
        while from < range.upperBound {
            let plan = ring.readPlan(log: log, range: from..<range.upperBound, limit: 500)
            let result = plan.perform(on: gateway.disk)
            let isWhole = result.damage.isEmpty && !result.overwritten && result.failure == nil
            if !isWhole, !gateway.history.isDishonest {
                fail(.noSilentGap, gateway, "what is held cannot be read: \(log) from \(from): \(result.damage)")
            }
            found += result.readings
            guard result.next > from else { break }
            from = result.next
        }
        return found
    }
}
