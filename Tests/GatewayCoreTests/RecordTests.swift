import Environment
import Model
import Testing

@testable import GatewayCore

@Suite("Small records of the core")
struct RecordTests {
    private func randomCounts(using random: inout SeededRandom) -> StreamCounts {
        var counts = StreamCounts()
        counts.stored = UInt64.random(in: 0..<1 << 40, using: &random)
        counts.duplicate = UInt64.random(in: 0..<1000, using: &random)
        for reason in ["empty", "not-json", "märz", ""] where Bool.random(using: &random) {
            counts.rejected.add(UInt64.random(in: 1..<1 << 20, using: &random), for: reason)
            counts.dropped.add(UInt64.random(in: 1..<300, using: &random), for: reason)
        }
        counts.received = counts.settled
        return counts
    }

    @Test("A stream's record is read back as it was written")
    func streamRoundTrip() {
        var random = SeededRandom(seed: 1)
        for turn in 0..<200 {
            let position =
                turn % 3 == 0
                ? nil : LedgerPosition(log: LogID(using: &random), offset: Offset(random.next() >> UInt64(turn % 60)))
            let record = StreamRecord(counts: randomCounts(using: &random), position: position)
            #expect(StreamRecord(record.bytes) == record)
        }
    }

    @Test("A position, a name of progress and a sink's totals are read back as they were written")
    func otherRoundTrips() throws {
        var random = SeededRandom(seed: 2)
        for count in 0...SinkTotals.mostRecent {
            let log = LogID(using: &random)
            let position = LedgerPosition(log: log, offset: Offset(UInt64(count) << 40))
            #expect(LedgerPosition(record: position.record) == position)
            let name = try #require(ProgressName("\(log)/a/b"))
            #expect(name.log == log)
            #expect(name.sink == "a/b")
            let totals = SinkTotals(recent: (0..<count).map { _ in LogID(using: &random) }, counts: [1, 0, 0, 0, 0])
            #expect(SinkTotals(totals.bytes) == totals)
        }
        #expect(ProgressName("0123/x") == nil)
        #expect(ProgressName("0123456789abcdef") == nil)
    }

    @Test("Cut, changed and random records are refused or read, and never trap")
    func fuzz() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<3000 {
            var bytes = StreamRecord(
                counts: randomCounts(using: &random),
                position: LedgerPosition(log: LogID(using: &random), offset: Offset(7))
            ).bytes
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
            case 1: bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
            default:
                bytes = (0..<Int.random(in: 0..<80, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next())
                }
            }
            if let record = StreamRecord(bytes) {
                #expect(record.counts.received == record.counts.settled)
                #expect(StreamRecord(record.bytes) == record)
            }
            _ = LedgerPosition(record: bytes)
            #expect(SinkTotals(bytes).recent.count <= SinkTotals.mostRecent)
        }
        #expect(StreamRecord([]) == nil)
        #expect(StreamRecord([UInt8](repeating: 0xFF, count: 64)) == nil)
    }

    @Test("Counts by reason add up, however they are added, and nothing leaves no entry")
    func reasonCounts() {
        var random = SeededRandom(seed: 4)
        var one = ReasonCounts()
        var other = ReasonCounts()
        var sum: [String: UInt64] = [:]
        for _ in 0..<300 {
            let reason = "r\(Int.random(in: 0..<9, using: &random))"
            let count = UInt64.random(in: 0..<5, using: &random)
            if Bool.random(using: &random) { one.add(count, for: reason) } else { other.add(count, for: reason) }
            sum[reason, default: 0] += count
        }
        one.add(other)
        #expect(one.total == sum.values.reduce(0, +))
        for (reason, count) in sum { #expect(one[reason] == count) }
        #expect(one.entries.map(\.reason) == one.entries.map(\.reason).sorted())
        var none = ReasonCounts()
        none.add(0, for: "never")
        #expect(none.isEmpty)
        #expect(none == ReasonCounts())
        #expect(one["unheard"] == 0)
    }
}

@Suite("The newest readings")
struct LatestTableTests {
    private func stored(_ device: String, _ offset: UInt64, log: UInt64 = 1) -> StoredReading {
        StoredReading(
            log: LogID(log), offset: Offset(offset),
            reading: Reading(
                series: Series(device: DeviceID(device), metric: "t"),
                stamp: Stamp(
                    boot: BootID(high: 0, low: 1), uptime: Microseconds(Int64(offset)), wallOffset: Microseconds(0),
                    isTrusted: true), value: .number(Double(offset))))
    }

    @Test("The last one noted of each series stands, in the order of the series")
    func notes() throws {
        var table = LatestTable()
        for offset in 0..<30 { table.note(stored("d\(offset % 3)", UInt64(offset))) }
        #expect(table.readings(matching: []).map(\.offset.rawValue) == [27, 28, 29])
        #expect(table.readings(matching: [Glob("d1/*")]).map(\.offset.rawValue) == [28])
        #expect(table.readings(matching: [Glob("none/*")]).isEmpty)
    }

    @Test("A reading of an earlier run gives way to one of this run, whichever comes first")
    func recalls() {
        var table = LatestTable()
        table.recall(stored("a", 1, log: 9))
        table.recall(stored("a", 2, log: 9))
        #expect(table.readings(matching: []).map(\.offset.rawValue) == [2])
        table.note(stored("a", 0))
        table.recall(stored("a", 3, log: 9))
        #expect(table.readings(matching: []).map(\.log) == [LogID(1)])
    }

    @Test("A series beyond the limit is not shown, and those shown go on")
    func limit() {
        var table = LatestTable()
        for index in 0..<Limits.series + 10 { table.note(stored("d\(index)", UInt64(index))) }
        #expect(table.readings(matching: []).count == Limits.series)
        table.note(stored("d5", 99))
        #expect(table.readings(matching: [Glob("d5/*")]).map(\.offset.rawValue) == [99])
    }
}
