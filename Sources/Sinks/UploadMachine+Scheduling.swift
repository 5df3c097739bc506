import Environment
import Model

/// What is sent next.
extension UploadMachine {
    private enum Choice {
        case run(LogID, Range<Offset>)
        /// A chunk that is not full waits for more until then.
        case later(MonotonicInstant)
        case none
    }

    mutating func schedule(now: MonotonicInstant, _ out: inout [UploadDirective]) {
        var deadline: MonotonicInstant?
        skipToLiveEnd(now: now)
        while hasWork {
            guard breaker.permits(at: now) else {
                deadline = breaker.retryAt
                break
            }
            if let wait = bucket?.waitUntil(now) {
                deadline = wait
                break
            }
            if let index = resumable {
                send(index, &out)
                continue
            }
            guard jobs.count < settings.chunksInFlight else { break }
            switch nextChunk(now: now) {
            case .run(let log, let range):
                let isFresh = logs[log].map { $0.isCurrent && range.lowerBound >= $0.laneCut } ?? false
                lastLane = isFresh ? .fresh : .backFill
                let onTrial = suspects.filter { $0.log == log && $0.isWitnessed }.map(\.range)
                jobs.append(UploadJob(log: log, range: range, lane: lastLane, onTrial: onTrial))
                gates[log]?.allowance? -= 1
                send(jobs.count - 1, &out)
                continue
            case .later(let instant): deadline = instant
            case .none: break
            }
            break
        }
        tellWake(deadline, now: now, &out)
    }

    private var hasWork: Bool {
        jobs.contains { $0.current == nil }
            || order.contains { log in
                logs[log].map { mayBegin(log, $0) && $0.firstSendable(from: .zero) != nil } ?? false
            }
    }

    private func mayBegin(_ log: LogID, _ state: LogUpload) -> Bool {
        let gate = gates[log] ?? UploadGate()
        return !(gate.isPaused ?? state.isRelayed) && gate.allowance ?? 1 > 0
    }

    private mutating func send(_ index: Int, _ out: inout [UploadDirective]) {
        let id = SendID(nextSend)
        nextSend += 1
        breaker.began(id)
        let range = jobs[index].begin(id, epoch: breaker.epoch)
        bucket?.take(range.count)
        out.append(.send(SendRequest(id: id, log: jobs[index].log, range: range, lane: jobs[index].lane)))
    }

    private mutating func tellWake(
        _ deadline: MonotonicInstant?, now: MonotonicInstant, _ out: inout [UploadDirective]
    ) {
        if let told = toldWake, told <= now { toldWake = nil }
        guard let deadline, deadline != toldWake else { return }
        toldWake = deadline
        out.append(.wake(at: deadline))
    }

    /// A chunk that waits to go on. Of those that are being split, only the first of each lane goes on: splitting in parallel would
    /// multiply the requests that a faulty sink gets.
    private var resumable: Int? {
        jobs.indices.first { index in
            let job = jobs[index]
            guard job.current == nil else { return false }
            return !job.isSplitting || !jobs[..<index].contains { $0.isSplitting && $0.lane == job.lane }
        }
    }

    /// The fresh lane may only leave a hole behind where there is room to remember one more island.
    private mutating func skipToLiveEnd(now: MonotonicInstant) {
        guard let current = order.last(where: { logs[$0]?.isCurrent == true }), let state = logs[current],
            state.settlements.islands + settings.chunksInFlight < ProgressCodec.islands - 2
        else { return }
        logs[current]?.skipToLiveEnd(settings: settings, now: now)
    }

    /// Lanes take turns, so that neither starves, and back-fill leaves a slot, so that fresh readings find one at any time.
    private func nextChunk(now: MonotonicInstant) -> Choice {
        for skipping in [true, false] {
            // Without another chunk to bear witness, the suspects themselves are all there is to try.
            if !skipping, suspects.allSatisfy(\.isWitnessed) || !jobs.isEmpty { break }
            var deadline: MonotonicInstant?
            for lane in lastLane == .fresh ? [UploadLane.backFill, .fresh] : [.fresh, .backFill] where hasSlot(lane) {
                switch candidate(lane, skippingSuspects: skipping, now: now) {
                case .run(let log, let range): return .run(log, range)
                case .later(let instant): deadline = min(deadline ?? instant, instant)
                case .none: continue
                }
            }
            if let deadline { return .later(deadline) }
        }
        return .none
    }

    private func hasSlot(_ lane: UploadLane) -> Bool {
        let limit = settings.chunksInFlight
        guard lane == .backFill, limit > 1, order.contains(where: { logs[$0]?.isCurrent == true }) else { return true }
        return jobs.count { $0.lane == .backFill } < limit - 1
    }

    /// Whether nothing tells the sink's own fault from that of the readings it refuses. Then the longest run goes next: it may well hold
    /// a good reading, while what peers have left behind here is bad ones one by one, each of which would cost a pause.
    private var seeksWitness: Bool { trust == 0 && suspects.contains { !$0.isWitnessed } }

    /// The next run of one lane.
    private func candidate(_ lane: UploadLane, skippingSuspects: Bool, now: MonotonicInstant) -> Choice {
        var deadline: MonotonicInstant?
        var best: (log: LogID, run: Range<Offset>)?
        let seeksWitness = seeksWitness
        for log in order {
            guard let state = logs[log], state.settlements.watermark < state.ready, mayBegin(log, state) else {
                continue
            }
            if lane == .fresh, !state.isCurrent { continue }
            let bounds = lane == .fresh ? state.laneCut..<state.ready : Offset.zero..<state.laneCut
            let sought = seeksWitness ? Self.runsCompared : 1
            let found = run(of: log, state, in: bounds, skippingSuspects: skippingSuspects, longestOf: sought)
            guard let run = found else { continue }
            guard state.isPartial(run, chunk: settings.chunkReadings),
                let since = state.readySince(run.lowerBound), since.advanced(by: settings.linger) > now
            else {
                guard seeksWitness else { return .run(log, run) }
                if best.map({ $0.run.count < run.count }) ?? true { best = (log, run) }
                continue
            }
            let due = since.advanced(by: settings.linger)
            deadline = min(deadline ?? due, due)
        }
        if let best { return .run(best.log, best.run) }
        return deadline.map { .later($0) } ?? .none
    }

    private func run(
        of log: LogID, _ state: LogUpload, in bounds: Range<Offset>, skippingSuspects: Bool, longestOf sought: Int
    ) -> Range<Offset>? {
        var busy = jobs.filter { $0.log == log }.map(\.range)
        let room = ProgressCodec.islands - busy.count
        if skippingSuspects {
            busy += suspects.filter { $0.log == log && !$0.isWitnessed }.map(\.range)
        }
        busy.sort { $0.lowerBound < $1.lowerBound }
        var lower = bounds.lowerBound
        var longest: Range<Offset>?
        var seen = 0
        while let run = state.nextRun(in: lower..<bounds.upperBound, busy: busy, chunk: settings.chunkReadings) {
            // A peer's log has as many islands as there are holes in what is here of it: its owner bounds those.
            if state.isRelayed || state.settlements.islands < room || state.settlements.adjoins(run.lowerBound) {
                if longest.map({ $0.count < run.count }) ?? true { longest = run }
                seen += 1
                if seen >= sought || run.count >= settings.chunkReadings { break }
            }
            lower = run.upperBound
        }
        return longest
    }
}
