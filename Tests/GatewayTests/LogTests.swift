import Devices
import Environment
import Glibc
import Logging
import Model
import Supervision
import SupervisionCore
import TestKit
import Testing

@testable import Gateway

@Suite("The gateway's log")
struct LogTests {
    private let clock = ManualClock()
    private let lines = LogLines()
    private var log: LimitedLog { LimitedLog(logger: lines.logger, clock: clock) }

    @Test("A source that repeats has one line a minute, which says how many came in between")
    func oneLineASource() {
        let log = log
        for number in 0..<1000 { log.line(.warning, source: "broker a", "broker a: away \(number)") }
        log.line(.warning, source: "broker b", "broker b: away")
        #expect(lines.all == ["broker a: away 0", "broker b: away"])
        clock.advance(by: .seconds(60))
        log.line(.warning, source: "broker a", "broker a: away again")
        #expect(lines.all.last == "broker a: away again (and 999 more since the last line)")
        #expect(log.counts.bySource == 999)
    }

    @Test("What was held back is told when its minute is over, though the source fell silent, and then no more")
    func overdue() {
        let log = log
        for number in 0..<3 { log.line(.error, source: "sink", "sink: failed \(number)") }
        clock.advance(by: .seconds(59))
        log.flush()
        #expect(lines.all == ["sink: failed 0"])
        clock.advance(by: .seconds(1))
        log.flush()
        #expect(lines.all == ["sink: failed 0", "sink: failed 2 (and 1 more since the last line)"])
        clock.advance(by: .seconds(600))
        log.flush()
        #expect(lines.all.count == 2)
    }

    @Test("A source may have a few lines at once, and a line may stand for many events")
    func burstsAndCounts() {
        let log = log
        for number in 0..<9 { log.line(.info, source: "discovery", count: 10, burst: 3, "batch \(number)") }
        clock.advance(by: .seconds(60))
        log.flush()
        let more = "(and 9 more since the last line)"
        #expect(lines.all == (0..<3).map { "batch \($0) \(more)" } + ["batch 8 (and 59 more since the last line)"])
    }

    @Test(
        "However many sources there are, 100 lines pass within ten seconds; the surplus is told, and critical lines pass"
    )
    func ceiling() {
        let log = log
        for device in 0..<100_000 {
            log.line(.warning, source: "device \(device)", "device \(device): bad")
        }
        log.logger.error("an error")
        log.logger.critical("the end")
        #expect(lines.all.count == LogCeiling.lines + 2)
        #expect(lines.all.last == "the end")
        clock.advance(by: LogCeiling.window)
        log.flush()
        // Beyond so many sources, all others share one, which had its say.
        let held = LineLimiter.mostSources + 1 - LogCeiling.lines
        #expect(lines.all.last == "\(held) log lines were left out: more than 100, or 400 errors, came within 10 s")
        #expect(log.counts.byCeiling == UInt64(held))
        #expect(log.counts.bySource == UInt64(100_000 - LineLimiter.mostSources - 1))
        clock.advance(by: LogCeiling.window)
        log.flush()
        for number in 0..<1000 { log.logger.error("error \(number)") }
        #expect(lines.all.count == LogCeiling.lines + 3 + LogCeiling.errors)
    }

    @Test("Sources that have nothing to tell are forgotten")
    func forgets() {
        let log = log
        for source in 0..<LineLimiter.mostSources { log.line(.warning, source: "\(source)", "x") }
        clock.advance(by: .seconds(60))
        log.flush()
        log.line(.warning, source: "new", "new one")
        log.line(.warning, source: "new 2", "new two")
        #expect(lines.all.suffix(2) == ["new one", "new two"])
    }

    @Test("A child that fails for ever has one line a minute for each thing that happens to it")
    func supervision() {
        let log = log
        for _ in 0..<500 {
            for kind: SupervisionEvent.Kind in [.failed(reason: "no"), .restarting(after: .seconds(1))] {
                log.supervision(SupervisionEvent(path: ["covey"], child: "a", at: clock.now, kind: kind))
            }
        }
        #expect(lines.all == ["covey/a: failed: no", "covey/a: restarting in 1 s"])
    }

    @Test("A device that sent bad messages and fell silent still says how many they were")
    func silentDevice() {
        var device = DeviceState(id: DeviceID("a"), series: SeriesBudget(), createdAt: clock.now)
        func take(_ count: Int) -> DeviceOutcome {
            let message = Message(topic: "a", payload: Array("x".utf8))
            let routed = RoutedMessage(message: message, decoder: NumberDecoder(), stamp: clock.stamp)
            return device.take(Array(repeating: routed, count: count), now: clock.now)
        }
        #expect(take(1).report?.suppressed == 0)
        #expect(take(5).report == nil)
        #expect(device.overdueReport(now: clock.now) == nil)
        clock.advance(by: .seconds(60))
        #expect(device.overdueReport(now: clock.now)?.suppressed == 4)
        #expect(device.overdueReport(now: clock.now) == nil)
    }
}

@Suite("A log line")
struct LogLineTests {
    private func line(
        _ message: String, _ metadata: Logger.Metadata? = nil, own: Logger.Metadata = [:],
        provided: Logger.Metadata = [:]
    ) -> String {
        let event = LogEvent(
            level: .notice, message: "\(message)", metadata: metadata, source: nil, file: #fileID, function: #function,
            line: #line)
        return String(decoding: LogOutput.line("<5>", event, own: own, provided: provided), as: UTF8.self)
    }

    @Test("Metadata follows the message sorted by key, and is quoted where a word ends otherwise")
    func metadata() {
        #expect(
            line("m", ["b": "two words", "a": "1", "c": "", "d": "x=\"y\"\\\n"])
                == #"<5>m a=1 b="two words" c="" d="x=\"y\"\\\n""# + "\n")
        #expect(
            line("m", ["a": "line"], own: ["a": "own", "b": "own"], provided: ["b": "given"]) == "<5>m a=line b=given\n"
        )
        #expect(line("m", ["l": ["1", "2"]]) == "<5>m l=\"[\\\"1\\\", \\\"2\\\"]\"\n")
    }

    @Test("A message with line feeds is one line, and an endless one is cut at a whole character")
    func oneLine() {
        #expect(line("a\nb\r\u{1B}[31m") == "<5>a b  [31m\n")
        let long = line(String(repeating: "ä", count: 5000))
        #expect(long.utf8.count <= LogOutput.longestLine)
        #expect(long.hasSuffix("ä…\n"))
        #expect(!long.contains("\u{FFFD}"))
    }

    @Test("Priorities are written only where standard error is the very stream that systemd names")
    func journal() async throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let asked = try ChildProcess("/usr/bin/stat", ["-Lc", "%d:%i", "/proc/\(getpid())/fd/\(ends[1])"])
        #expect(await asked.ending() == .exited(0))
        let own = try #require(asked.log.first)
        let device = own.prefix { $0 != ":" }
        let node = try #require(UInt64(own.dropFirst(device.count + 1)))
        #expect(LogOutput.isJournal(own, descriptor: ends[1]))
        for other in [nil, "", "1", "\(device):\(node + 1)", "\(own):1", "x:y"] {
            #expect(!LogOutput.isJournal(other, descriptor: ends[1]), "\(other ?? "nil")")
        }
        #expect(!LogOutput.isJournal(own, descriptor: 9999))
    }
}
