package import Environment
import LogFormat
import Model
import RingLog
import Sinks

/// What is still to be found out about readings that were evicted: whose they were. Their blocks stay readable until their segment is
/// used anew, which is some commits later at least.
package struct TallyPlan: Sendable {
    struct Wanted: Hashable, Sendable {
        let sink: Int
        let settled: SettledRange
    }

    let places: EvictedPlaces
    let wanted: [Wanted]

    /// Reads what is still there. Blocks.
    package func perform(on disk: any Disk) -> TallyResult {
        var counts = wanted.map { _ in [DeviceID: UInt64]() }
        places.read(on: disk, where: { log, range in wanted.contains { $0.settled.overlaps(log, range) } }) { stored in
            for (index, wanted) in wanted.enumerated()
            where wanted.settled.log == stored.log && wanted.settled.range.contains(stored.offset) {
                counts[index][stored.reading.series.device, default: 0] += 1
            }
        }
        var result = TallyResult()
        for (wanted, counts) in zip(wanted, counts) {
            for device in counts.keys.sorted() {
                result.found.append((wanted.sink, wanted.settled.fate, device, counts[device] ?? 0))
            }
        }
        return result
    }
}

/// What a ``TallyPlan`` found.
package struct TallyResult: Sendable {
    var found: [(sink: Int, fate: UploadFate, device: DeviceID, count: UInt64)] = []
}

extension SettledRange {
    func overlaps(_ log: LogID, _ range: Range<Offset>) -> Bool { log == self.log && range.overlaps(self.range) }
}

extension GatewayCore {
    /// Segments that are tallied at a time: evictions come one by one unless the ring is far too small for what comes in.
    private static let mostTallies = 2
    /// Pieces that one tally looks for; beyond, they stay without a stream.
    private static let mostWanted = 64

    mutating func book(_ sink: Int, _ settled: SettledRange) {
        guard sinks[sink].account.isOpen else { return }
        hasSettled = true
        for range in sinks[sink].account.settle(settled) where unexplained.count < Self.mostWanted {
            let piece = SettledRange(log: settled.log, range: range, fate: settled.fate)
            if case .evicted = settled.fate { unexplained.append(TallyPlan.Wanted(sink: sink, settled: piece)) }
        }
    }

    /// A send was answered: whose readings it held is needed until its chunk comes to an end.
    mutating func sent(
        _ sink: Int, _ id: SendID, _ outcome: SendOutcome, _ devices: SendDevices?, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        if let devices, !ring.isCopy(devices.log) { sinks[sink].account.learn(devices) }
        stepUpload(sink, .sendFinished(id, outcome), now: now, &directives)
        // Behind it: the receipt may change how many chunks may be under way, and the one that has just ended is none of them.
        if let devices, outcome == .accepted {
            tellReceipt(sink, devices.log, devices.range, digest: devices.digest, now: now, &directives)
        }
        let machine = sinks[sink].machine
        sinks[sink].account.forget { !machine.isUnderWay($0, $1) }
    }

    /// Asks whose readings have just been evicted, where a sink lost some.
    mutating func tallyEvicted(_ directives: inout [GatewayDirective]) {
        let places = ring.takeEvicted()
        defer { unexplained.removeAll() }
        guard let places, !unexplained.isEmpty, tallies < Self.mostTallies else { return }
        tallies += 1
        directives.append(.tally(TallyPlan(places: places, wanted: unexplained)))
    }

    mutating func tallied(_ result: TallyResult) {
        tallies -= 1
        hasSettled = true
        for (sink, fate, device, count) in result.found {
            sinks[sink].account.attribute(count, fate, to: device)
            // A start could not read them again.
            sinks[sink].account.checkpoint.takenAt = nil
        }
    }

    /// Once nothing is pending at a sink, what each stream lacks is what it lost without a name: where there is one way only in which
    /// that happened, it is attributed.
    mutating func attributeTheRest() {
        guard hasSettled else { return }
        hasSettled = false
        for index in sinks.indices {
            let unattributed = sinks[index].account.unattributed
            guard let fate = unattributed.fates.first, unattributed.fates.count == 1, tallies == 0,
                sinks[index].machine.counts.pending == 0
            else { continue }
            guard let open = openRows(sinks[index].account.streams),
                open.reduce(0, { $0 + $1.counts.pending }) == unattributed[fate]
            else { continue }
            for row in open { sinks[index].account.attribute(row.counts.pending, fate, to: row.device) }
        }
    }
}
