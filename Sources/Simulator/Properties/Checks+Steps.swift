import GatewayCore
import LogFormat
import Model
import RingLog
import Sinks

extension World {
    /// After every step, in constant time; the rest every few simulated seconds.
    func checkStep(_ gateway: SimulatedGateway) {
        if let log = gateway.ask({ $0.ring.currentLog }) ?? nil, log != gateway.currentLog {
            if let book = truth.book(log) {
                fail(.logsAreNew, gateway, "\(log) is of gateway \(book.owner), life \(book.life), and now of this")
            }
            gateway.currentLog = log
            _ = truth.open(log, owner: gateway.index, life: gateway.life)
        }
        noteIncarnation(gateway)
        guard time >= gateway.nextFullCheck || options.checksEveryStep else { return }
        gateway.nextFullCheck = time + 5 * SimulatedTime.second
        checkAll(gateway)
    }

    func checkAll(_ gateway: SimulatedGateway) {
        noteHoldings(gateway)
        checkBeliefs(gateway)
        checkBounds(gateway)
        checkLedger(gateway)
        guard let core = gateway.core else { return }
        for sink in sinks.indices {
            for log in core.ring.logs.map(\.log) { checkWatermark(gateway, sink, log) }
        }
    }

    private func checkBounds(_ gateway: SimulatedGateway) {
        guard let core = gateway.core else { return }
        let logs = core.ring.logIDs.count + core.ring.copies.count
        let depths = core.depths
        let bounds = [
            ("pending", depths.pending, 4000), ("backlog", depths.backlog, gateway.sources.count),
            ("tickets", depths.tickets, 2), ("dirty progress", depths.dirtyProgress, (logs + 4) * sinks.count),
            ("promises", depths.promises, 64), ("undated", depths.undated, 33), ("held", depths.held, logs),
        ]
        for (name, count, most) in bounds where count > most { fail(.isBounded, gateway, "\(name): \(count)") }
    }

    private func checkLedger(_ gateway: SimulatedGateway) {
        guard let core = gateway.core else { return }
        if !core.ledger.isBalanced { fail(.countsBalance, gateway, "received is not waiting + settled") }
        for index in core.sinks.indices {
            if let text = core.imbalance(at: index) { fail(.countsBalance, gateway, text) }
            checkStreams(index, gateway, core)
        }
        guard !gateway.history.wasMemoryOnly, !gateway.history.isDishonest else { return }
        for device in core.ledger.devices {
            let durable = gateway.storedByDevice[device] ?? 0
            if core.ledger[device].stored != durable {
                fail(.countsBalance, gateway, "\(device): \(core.ledger[device].stored) stored, \(durable) durable")
            }
        }
    }

    /// No stream is said to have met an end that its readings have not met.
    private func checkStreams(_ index: Int, _ gateway: SimulatedGateway, _ core: GatewayCore) {
        for device in core.sinks[index].account.streams.keys.sorted() where device != Ledger.unattributed {
            guard let counts = core.sinks[index].account.streams[device] else { continue }
            let there = truth.storedByDevice[index][device] ?? 0
            if counts.uploaded > there, !gateway.history.isDishonest {
                fail(.watermarkIsTrue, gateway, "\(device) at sink \(index): \(counts.uploaded) of \(there) uploaded")
            }
            let bad = truth.poisonByDevice[device] ?? 0
            if counts.refused > bad { fail(.countsBalance, gateway, "\(device): \(counts.refused) refused of \(bad)") }
        }
    }

    /// After an answer: the log that is being written; the others every few seconds.
    func checkWatermark(_ gateway: SimulatedGateway, _ sink: Int) {
        guard let log = gateway.core?.currentLog else { return }
        checkWatermark(gateway, sink, log)
    }

    /// Whether damaged readings have come back from peers since the last look: they were counted lost, and are pending again.
    private func hasComeBack(_ gateway: SimulatedGateway) -> Bool {
        let restored = gateway.core?.ring.statistics.restored ?? 0
        defer { gateway.restored = restored }
        return restored > gateway.restored
    }

    /// What a sink is said to have, it has, or it is counted lost.
    private func checkWatermark(_ gateway: SimulatedGateway, _ sink: Int, _ log: LogID) {
        guard let watermark = gateway.core?.sinks[sink].machine.releasable(log) else { return }
        let before = gateway.watermarks[sink][log] ?? .zero
        guard before != watermark else { return }
        if watermark < before, !hasComeBack(gateway) {
            fail(.nothingGoesBack, gateway, "the watermark of \(log): \(before) to \(watermark)")
        }
        gateway.watermarks[sink][log] = watermark
        guard let book = truth.book(log), watermark > before else { return }
        for offset in before.rawValue..<watermark.rawValue {
            let fate = book.fate(offset)
            if let fate, fate.sinks & 1 << UInt8(sink) != 0 || fate.flags.contains(.poison) { continue }
            // Counted as damaged once, whatever a later start makes of the place.
            if gateway.history.isRotten, gateway.core?.sinks[sink].machine.counts.damaged ?? 0 > 0 { continue }
            let gaps = gateway.core?.ring.gaps(of: log) ?? []
            if gaps.contains(where: { $0.range.contains(Offset(offset)) }) { continue }
            return fail(.watermarkIsTrue, gateway, "\(log)/\(offset) is not at \(sinks[sink].plan.name)")
        }
    }
}
