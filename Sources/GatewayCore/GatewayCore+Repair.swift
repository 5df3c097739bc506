import Environment
import Model
import RingLog

extension GatewayCore {
    /// Why all of the ring cannot be read now; `nil` where it can.
    package var repairRefusal: String? {
        if isStopping { return "the gateway is about to stop" }
        guard isMemoryOnly else { return nil }
        let reason = ring.memoryOnlyReason.map { " (\($0))" } ?? ""
        return "the disk takes nothing\(reason), and what it does not give now says nothing of what is on it"
    }

    /// Own readings that damage had taken and that peers have brought back since ``repair`` was ordered.
    package var restoredByRepair: Int { repair.map { ring.restoredReadings - $0.restoredBefore } ?? 0 }

    /// One that is under way goes on: who asks again joins it.
    mutating func orderRepair(now: MonotonicInstant) {
        guard repairRefusal == nil, !(repair?.isUnderWay ?? false) else { return }
        repair = RepairPass(segments: ring.segmentCount, restoredBefore: ring.restoredReadings, now: now)
    }

    /// Has the next segment read where it is time. Nothing else is scrubbed meanwhile.
    mutating func readForRepair(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard var pass = repair, pass.wake != nil, scrub?.isReading != true else { return }
        defer { repair = pass }
        if let refusal = repairRefusal { return pass.end(because: refusal) }
        while let segment = pass.takeNext(now: now) {
            guard let plan = ring.scrubPlan(of: segment) else {
                pass.passOver(now: now)
                continue
            }
            pass.begin(now: now)
            directives.append(.work(ReaderWork(plan)))
        }
        if pass.state == .done { report(pass, &directives) }
    }

    mutating func repaired(
        _ result: ScrubResult, damaged: Int, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        repair?.hasRead(result, damaged: damaged, now: now)
        if let repair, repair.state == .done { report(repair, &directives) }
    }

    private func report(_ pass: RepairPass, _ directives: inout [GatewayDirective]) {
        let text = "all of the ring was read, as ordered: \(pass.damaged) readings were found damaged"
        directives.append(.report(Report(pass.damaged > 0 ? .warning : .notice, text)))
    }
}
