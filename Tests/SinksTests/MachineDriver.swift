import Environment
import Model

@testable import Sinks

/// Drives one machine by hand: keeps its time, its sends and what it said.
struct MachineDriver {
    var machine: UploadMachine
    var now = MonotonicInstant(nanoseconds: 0)
    var random = SeededRandom(seed: 7)
    /// Sends that wait for an answer, in the order of their start.
    var open: [SendRequest] = []
    var sent: [SendRequest] = []
    var wake: MonotonicInstant?
    var alarms: [String] = []
    var recoveries: [String] = []
    var refused: [Offset] = []
    var finished: [LogID] = []
    var progressed: [LogID] = []
    var settled: [SettledRange] = []

    init(_ change: (inout UploadSettings) -> Void = { _ in }) {
        var settings = UploadSettings()
        settings.chunkReadings = 8
        change(&settings)
        machine = UploadMachine(settings: settings)
    }

    mutating func step(_ event: UploadEvent) {
        for directive in machine.step(event, now: now, using: &random) {
            switch directive {
            case .send(let request):
                open.append(request)
                sent.append(request)
            case .wake(let at): wake = at
            case .settled(let settled): self.settled.append(settled)
            case .progressChanged(let log): progressed.append(log)
            case .refused(_, let offset, _): refused.append(offset)
            case .logFinished(let log): finished.append(log)
            case .alarm(let text): alarms.append(text)
            case .recovered(let text): recoveries.append(text)
            }
        }
    }

    mutating func openCurrent(_ log: LogID, _ end: UInt64) {
        step(.opened(log, end: Offset(end), ready: Offset(end), isCurrent: true))
    }

    mutating func openOld(_ log: LogID, _ end: UInt64) {
        step(.opened(log, end: Offset(end), ready: Offset(end), isCurrent: false))
        step(.closed(log))
    }

    mutating func extend(_ log: LogID, _ end: UInt64, ready: UInt64? = nil) {
        step(.extended(log, end: Offset(end), ready: Offset(ready ?? end)))
    }

    mutating func advance(_ duration: Duration) {
        now = now.advanced(by: duration)
        step(.tick)
    }

    /// Goes to the time of the newest wake and ticks.
    mutating func advanceToWake() {
        guard let wake else { return }
        now = max(now, wake)
        step(.tick)
    }

    mutating func answer(_ outcome: SendOutcome) {
        guard !open.isEmpty else { return }
        let request = open.removeFirst()
        step(.sendFinished(request.id, outcome))
    }

    /// Answers until nothing is open: refuses what holds a poison reading of log A, accepts the rest. Returns the number of answers.
    @discardableResult
    mutating func drain(poison: Set<UInt64> = [], limit: Int = 100_000) -> Int {
        var answers = 0
        while !open.isEmpty, answers < limit {
            let holdsPoison = open[0].log == logA && offsets(open[0].range).contains { poison.contains($0) }
            answer(holdsPoison ? .refused(reason: "bad reading") : .accepted)
            answers += 1
        }
        return answers
    }

    /// Drains and waits by turns until nothing more is asked for.
    mutating func settle(poison: Set<UInt64> = []) {
        for _ in 0..<10_000 {
            drain(poison: poison)
            guard let wake, wake > now else { return }
            advanceToWake()
        }
    }
}

let logA = LogID(0xA)
let logB = LogID(0xB)
let logC = LogID(0xC)

func span(_ low: UInt64, _ high: UInt64) -> Range<Offset> { Offset(low)..<Offset(high) }
func offsets(_ range: Range<Offset>) -> Range<UInt64> { range.lowerBound.rawValue..<range.upperBound.rawValue }
let down = SendOutcome.unavailable(reason: "connection refused", retryAfter: nil)
