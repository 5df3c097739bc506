import GatewayCore
import LogFormat
import Model
import RingLog
import Sinks

extension World {
    /// Whether nothing is left to do.
    var isAtRest: Bool {
        for gateway in gateways {
            guard gateway.core?.isQuiet ?? false, gateway.parked == nil,
                gateway.sources.allSatisfy({ $0.isSilent && $0.inFlight.isEmpty && $0.ticket == nil })
            else { return false }
            for sink in sinks.indices where !hasDrained(sink, gateway) { return false }
        }
        return true
    }

    /// A bad reading stays under suspicion until a good one follows it.
    private func hasDrained(_ sink: Int, _ gateway: SimulatedGateway) -> Bool {
        guard let core = gateway.core else { return false }
        guard core.sinks[sink].machine.counts.pending > 0 else { return true }
        guard scenario.faults.contains(.poison) else { return false }
        let bit = UInt8(1) << UInt8(sink)
        return core.ring.logs.allSatisfy { log in
            let from = core.sinks[sink].machine.releasable(log.log)
            guard from < log.end else { return true }
            return (from.rawValue..<log.end.rawValue).allSatisfy { offset in
                guard let fate = truth.fate(Key(log.log, offset)) else { return true }
                return fate.sinks & bit != 0 || fate.flags.contains(.poison)
            }
        }
    }

    func checkRest() {
        if isAtRest { return }
        for gateway in gateways {
            guard let core = gateway.core else {
                fail(.answersOnce, gateway, "there is no process")
                continue
            }
            let open = gateway.sources.filter { !$0.inFlight.isEmpty || $0.ticket != nil }.map(\.name)
            let pending = core.sinks.filter { $0.machine.counts.pending > 0 }.map {
                "\($0.name): \($0.machine.counts)"
            }
            if !core.isQuiet || !open.isEmpty {
                fail(.answersOnce, gateway, "quiet \(core.isQuiet), \(core.depths), sources \(open)")
            } else if !pending.isEmpty {
                fail(.allUploaded, gateway, "\(pending)")
            }
        }
    }

    /// Everything settled is at every sink once, or counted.
    func checkEnd() {
        var evicted: Set<Key> = []
        var uploadedGaps: Set<Key> = []
        for gateway in gateways {
            guard let ring = gateway.core?.ring else { continue }
            let scan = scan(ring, of: gateway)
            checkSurvival(gateway, ring, scan)
            for (key, reason) in scan.gone {
                if reason == .evicted { evicted.insert(key) }
                if reason == .uploaded { uploadedGaps.insert(key) }
            }
        }
        guard failures.isEmpty else { return }
        for (sink, plan) in scenario.sinks.enumerated() {
            for book in truth.books {
                for (index, fate) in book.fates.enumerated() {
                    guard let fate, fate.flags.contains(.durable), fate.sinks & 1 << UInt8(sink) == 0 else { continue }
                    let key = Key(book.log, UInt64(index))
                    if fate.flags.contains(.poison) || evicted.contains(key) { continue }
                    if !plan.isRequired, uploadedGaps.contains(key) { continue }
                    // Nobody has it: it went with a disk that no promise covers.
                    if fate.disks == 0, gateways[book.owner].history.isDishonest { continue }
                    let missing = uploadedGaps.contains(key) ? Property.noSilentEviction : .noSilentGap
                    let property = fate.disks == 0 ? missing : .allUploaded
                    return fail(property, gateways[book.owner], "\(key) is not at \(plan.name), disks \(fate.disks)")
                }
            }
        }
        for gateway in gateways { checkCounts(gateway) }
    }

    private func checkCounts(_ gateway: SimulatedGateway) {
        guard let core = gateway.core, !gateway.history.wasMemoryOnly, !gateway.history.isDishonest else { return }
        for (index, sink) in core.sinks.enumerated() {
            let counts = sink.machine.counts
            let bit = UInt8(1) << UInt8(index)
            var missing: UInt64 = 0
            for book in truth.books where book.owner == gateway.index {
                for case let fate? in book.fates where fate.flags.contains(.durable) && fate.sinks & bit == 0 {
                    missing += 1
                }
            }
            if counts.refused + counts.evictedTotal + counts.damaged + counts.pending < missing {
                fail(.noSilentEviction, gateway, "\(missing) are missing at \(sink.name), counted are \(counts)")
            }
            if sink.isRequired, counts.evicted.contains(where: { $0.reason != "ring-full" }) {
                fail(.noSilentEviction, gateway, "what was released is not counted as uploaded: \(counts.evicted)")
            }
        }
    }
}
