import Environment
import Model
import Testing

@testable import Sinks

/// A sink, a ring and a clock of bad days around one machine; each seed is one history. Checks the machine's promises at every step,
/// then heals everything and demands that all that survives arrives.
private struct History {
    struct Key: Hashable {
        let log: LogID
        let offset: UInt64
    }

    enum Mood { case good, unavailable, tooMany, acceptsAndHangsUp, refusesAll }

    struct Ring {
        let log: LogID
        var end: UInt64 = 0
        var ready: UInt64 = 0
        var isClosed = false
    }

    var random: SeededRandom
    let settings: UploadSettings
    let poisonPercent: Int
    var machine: UploadMachine
    var now = MonotonicInstant(nanoseconds: 0)
    var wake: MonotonicInstant?
    var open: [SendRequest] = []
    var rings: [Ring] = []
    var nextLog: UInt64 = 1
    var mood = Mood.good
    var canRefuseAll = true
    var sink: Set<Key> = []
    var poison: Set<Key> = []
    var lost: Set<Key> = []
    var saved: [LogID: [UInt8]] = [:]
    var watermarks: [LogID: Offset] = [:]
    var refused: Set<Key> = []
    var losses: [(log: LogID, range: Range<Offset>, loss: UploadLoss)] = []
    var isStarting = false
    var failures: [String] = []
    /// What the machine named as settled, on top of what its progress was restored with.
    var named = UploadCounts()
    var restored = UploadCounts()
    var namedKeys: Set<Key> = []

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        var settings = UploadSettings()
        settings.chunkReadings = [1, 4, 16, 64].randomElement(using: &random) ?? 16
        settings.chunksInFlight = Int.random(in: 1...5, using: &random)
        settings.readingsPerSecond = Int.random(in: 0..<4, using: &random) == 0 ? 50 : nil
        self.settings = settings
        poisonPercent = [0, 0, 1, 10].randomElement(using: &random) ?? 0
        machine = UploadMachine(settings: settings)
        startLog()
    }

    mutating func fail(_ text: String) {
        if failures.count < 5 { failures.append("at \(now.nanoseconds): \(text)") }
    }

    mutating func startLog() {
        let log = LogID(nextLog &* 0x9E37_79B9_7F4A_7C15)
        nextLog += 1
        rings.append(Ring(log: log))
        step(.opened(log, end: .zero, ready: .zero, isCurrent: true))
    }

    mutating func step(_ event: UploadEvent) {
        for directive in machine.step(event, now: now, using: &random) {
            switch directive {
            case .send(let request): begin(request)
            case .wake(let at): wake = at
            case .progressChanged(let log): saved[log] = machine.encodedProgress(log)
            case .refused(let log, let offset, _):
                refused.insert(Key(log: log, offset: offset.rawValue))
                if !poison.contains(Key(log: log, offset: offset.rawValue)) { fail("good reading \(offset) refused") }
            case .settled(let settled): note(settled)
            case .logFinished, .alarm, .recovered: break
            }
        }
        check()
    }

    mutating func note(_ settled: SettledRange) {
        named.add(UInt64(settled.range.count), settled.fate)
        for offset in offsets(settled.range) {
            if !namedKeys.insert(Key(log: settled.log, offset: offset)).inserted { fail("\(offset) is settled twice") }
        }
    }

    mutating func begin(_ request: SendRequest) {
        let chunk = UInt64(settings.chunkReadings)
        let range = offsets(request.range)
        if range.isEmpty || range.lowerBound / chunk != (range.upperBound - 1) / chunk { fail("chunk \(range)") }
        guard let ring = rings.first(where: { $0.log == request.log }), range.upperBound <= ring.ready else {
            return fail("sent \(range) beyond what is ready")
        }
        if open.contains(where: { $0.log == request.log && $0.range.overlaps(request.range) }) {
            fail("\(range) is in flight twice")
        }
        open.append(request)
        if open.count > settings.chunksInFlight { fail("\(open.count) sends in flight") }
    }

    mutating func check() {
        let counts = machine.counts
        if !counts.isBalanced { fail("the ledger does not balance: \(counts)") }
        var known = restored
        known.add(named)
        for fate in Set(known.fates + counts.fates) where known[fate] != counts[fate] {
            fail("\(fate): named \(known[fate]), counted \(counts[fate])")
        }
        for ring in rings {
            let counts = machine.counts(ring.log)
            if !isStarting, counts.stored != ring.end { fail("stored \(counts.stored) of \(ring.end)") }
            let watermark = machine.releasable(ring.log)
            let before = isStarting ? watermark : watermarks[ring.log] ?? .zero
            if watermark < before { fail("watermark went from \(before) to \(watermark)") }
            for offset in before.rawValue..<max(before, watermark).rawValue {
                let key = Key(log: ring.log, offset: offset)
                let isKnown = sink.contains(key) || poison.contains(key) || lost.contains(key)
                if !isKnown { fail("\(offset) released and gone") }
            }
            if !isStarting { watermarks[ring.log] = watermark }
        }
    }

    mutating func answer(at index: Int) {
        let request = open.remove(at: index)
        let keys = offsets(request.range).map { Key(log: request.log, offset: $0) }
        let isBad = keys.contains { poison.contains($0) }
        switch mood {
        case .good where isBad, .refusesAll:
            step(.sendFinished(request.id, .refused(reason: "422")))
        case .good:
            sink.formUnion(keys)
            step(.sendFinished(request.id, .accepted))
        case .acceptsAndHangsUp:
            if !isBad { sink.formUnion(keys) }
            step(.sendFinished(request.id, .unavailable(reason: "reset", retryAfter: nil)))
        case .unavailable:
            step(.sendFinished(request.id, .unavailable(reason: "503", retryAfter: nil)))
        case .tooMany:
            let seconds = Int.random(in: 0..<20, using: &random)
            step(.sendFinished(request.id, .unavailable(reason: "429", retryAfter: .seconds(seconds))))
        }
    }

    mutating func extend() {
        let index = rings.count - 1
        let begin = rings[index].end
        rings[index].end += UInt64.random(in: 1...60, using: &random)
        rings[index].ready =
            Int.random(in: 0..<5, using: &random) == 0
            ? UInt64.random(in: rings[index].ready...rings[index].end, using: &random) : rings[index].end
        for offset in begin..<rings[index].end where Int.random(in: 0..<100, using: &random) < poisonPercent {
            poison.insert(Key(log: rings[index].log, offset: offset))
        }
        step(.extended(rings[index].log, end: Offset(rings[index].end), ready: Offset(rings[index].ready)))
    }

    mutating func lose() {
        guard let ring = rings.randomElement(using: &random), ring.end > 0 else { return }
        let low = UInt64.random(in: 0..<ring.end, using: &random)
        let range = low..<min(ring.end, low + UInt64.random(in: 1...20, using: &random))
        lost.formUnion(range.map { Key(log: ring.log, offset: $0) })
        let loss = Bool.random(using: &random) ? UploadLoss.damaged : .evicted(reason: "quota")
        losses.append((ring.log, span(range.lowerBound, range.upperBound), loss))
        step(.lost(ring.log, span(range.lowerBound, range.upperBound), loss))
    }

    /// The process dies and comes back: what was stored of progress last is all that is left of it.
    mutating func restart() {
        open = []
        wake = nil
        let counts = machine.counts
        isStarting = true
        machine = UploadMachine(settings: settings)
        rings[rings.count - 1].isClosed = true
        rings[rings.count - 1].ready = rings[rings.count - 1].end
        for index in rings.indices {
            let ring = rings[index]
            if let bytes = saved[ring.log] {
                do throws(ProgressError) { try machine.restore(ring.log, bytes) } catch { fail("restore: \(error)") }
            }
        }
        restored = machine.counts
        named = UploadCounts()
        namedKeys = []
        for ring in rings {
            step(.opened(ring.log, end: Offset(ring.end), ready: Offset(ring.ready), isCurrent: false))
            step(.closed(ring.log))
            for lost in losses where lost.log == ring.log { step(.lost(lost.log, lost.range, lost.loss)) }
        }
        isStarting = false
        let after = machine.counts
        if after.uploaded != counts.uploaded || after.refused != counts.refused {
            fail("counts before \(counts), after \(after)")
        }
        startLog()
    }

    mutating func changeMood() {
        let moods: [Mood] = [.good, .good, .unavailable, .tooMany, .acceptsAndHangsUp, .refusesAll]
        let next = moods.randomElement(using: &random) ?? .good
        // A second time could meet both refusals of one reading: nothing can tell that from a bad reading.
        if next == .refusesAll, !canRefuseAll || mood == .refusesAll { return }
        if mood == .refusesAll { canRefuseAll = false }
        mood = next
    }

    mutating func randomStep() {
        now = now.advanced(by: .milliseconds(Int.random(in: 0..<400, using: &random)))
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: extend()
        case 25..<70 where !open.isEmpty: answer(at: Int.random(in: 0..<open.count, using: &random))
        case 70..<73: lose()
        case 73: restart()
        case 74..<77: changeMood()
        case 77..<79: now = now.advanced(by: .seconds(Int.random(in: 0..<90, using: &random)))
        default: step(.tick)
        }
    }

    /// Everything works again. Fresh good readings go on arriving, as they do.
    mutating func heal() {
        mood = .good
        let last = rings.count - 1
        rings[last].ready = rings[last].end
        step(.extended(rings[last].log, end: Offset(rings[last].end), ready: Offset(rings[last].end)))
        step(.closed(rings[last].log))
        let healedLogs = rings
        startLog()
        for turn in 0..<20_000 {
            while !open.isEmpty { answer(at: 0) }
            let current = rings.count - 1
            if turn.isMultiple(of: 10) {
                rings[current].end += 3
                rings[current].ready = rings[current].end
                step(.extended(rings[current].log, end: Offset(rings[current].end), ready: Offset(rings[current].end)))
            }
            if let wake, wake > now { now = wake }
            now = now.advanced(by: .milliseconds(100))
            step(.tick)
            if healedLogs.allSatisfy({ machine.counts($0.log).pending == 0 }) { break }
        }
        for ring in healedLogs {
            for offset in 0..<ring.end {
                let key = Key(log: ring.log, offset: offset)
                if poison.contains(key) {
                    if !refused.contains(key), !lost.contains(key) { fail("bad reading \(offset) is not named") }
                } else if !sink.contains(key), !lost.contains(key) {
                    fail("\(offset) of \(ring.log) never arrived")
                }
            }
        }
    }
}

@Suite struct UploadPropertyTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func everyHistoryEndsWithAllThatSurvivesAtTheSink(_ seed: UInt64) {
        var history = History(seed: seed)
        for _ in 0..<1000 { history.randomStep() }
        history.heal()
        #expect(history.failures.isEmpty, "seed \(seed)")
    }

    @Test func oneSeedGivesOneHistory() {
        func trace(_ seed: UInt64) -> [UInt64] {
            var history = History(seed: seed)
            for _ in 0..<600 { history.randomStep() }
            return [UInt64(history.sink.count), history.machine.counts.uploaded, history.random.next()]
        }
        #expect(trace(4) == trace(4))
    }
}
