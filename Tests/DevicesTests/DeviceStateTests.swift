import Devices
import Environment
import Model
import Testing

@Suite("A device")
struct DeviceStateTests {
    private let json = DocumentDecoder()

    private func device(_ policy: DevicePolicy = DevicePolicy(), budget: SeriesBudget = SeriesBudget()) -> DeviceState {
        DeviceState(id: DeviceID("soil-3"), policy: policy, series: budget, createdAt: start)
    }

    private func routed(_ payload: String, at milliseconds: Int64 = 0, retained: Bool = false) -> RoutedMessage {
        RoutedMessage(message: message(payload, retained: retained), decoder: json, stamp: stamp(milliseconds))
    }

    private func lines(_ readings: some Sequence<Reading>) -> [String] {
        readings.map { "\($0.series) \($0.series.unit ?? "-") \($0.value) \($0.stamp.uptime.rawValue / 1000)" }
    }

    private func balances(_ counts: DeviceCounts, readings: Int) -> Bool {
        counts.received == readings + counts.rejected.total + counts.dropped.total
    }

    @Test("a batch gives each message its own readings, in order, stamped on arrival")
    func batch() {
        var device = device()
        let outcome = device.take(
            [
                routed(#"{"a":1,"b":true}"#, at: 5), routed("{", at: 6), routed(#"{"a":2,"c":null}"#, at: 7),
                routed("7", retained: true),
            ],
            now: start)
        #expect(lines(outcome.readings(ofInput: 0)) == ["soil-3/a - number(1.0) 5", "soil-3/b - flag(true) 5"])
        #expect(outcome.readings(ofInput: 1).isEmpty)
        #expect(lines(outcome.readings(ofInput: 2)) == ["soil-3/a - number(2.0) 7"])
        #expect(outcome.readings(ofInput: 3).isEmpty)
        #expect(outcome.ends == [2, 2, 3, 3])
        #expect(outcome.counts.received == 6)
        #expect(
            outcome.counts.rejected.entries.map { "\($0.reason.rawValue) \($0.count)" } == [
                "malformed 1", "not-a-number 1", "retained 1",
            ])
        #expect(balances(outcome.counts, readings: outcome.readings.count))
        #expect(outcome.report?.rejection == Rejection(.retained, #"replayed by the broker: "a/b""#))
        #expect(outcome.report?.suppressed == 2)

        #expect(device.status.counts == outcome.counts)
        #expect(lines(device.status.latest) == ["soil-3/a - number(2.0) 7", "soil-3/b - flag(true) 5"])
        #expect(device.status.lastRejection?.reason == .retained)
        #expect(device.status.lastReadingAt == start)
    }

    @Test("an empty batch is nothing")
    func emptyBatch() {
        var device = device()
        let outcome = device.take([], now: start)
        #expect(
            outcome.readings.isEmpty && outcome.ends.isEmpty && outcome.counts == DeviceCounts()
                && outcome.report == nil)
        #expect(device.take(samples: [], now: start).ends.isEmpty)
    }

    @Test("a driver's samples are checked as messages are")
    func samples() {
        var device = device()
        let long = String(repeating: "x", count: 300)
        let outcome = device.take(
            samples: [
                Sample(metric: "level", value: .flag(true), quality: .edgesMissed, stamp: stamp(1)),
                Sample(metric: "f", unit: "Hz", value: .number(.nan), stamp: stamp(2)),
                Sample(metric: "", value: .number(1), stamp: stamp(3)),
                Sample(metric: "a\nb", value: .number(1), stamp: stamp(3)),
                Sample(metric: "t", value: .text(long), stamp: stamp(4)),
                Sample(metric: "f", unit: long, value: .number(1), stamp: stamp(5)),
                Sample(metric: "f", unit: "Hz", value: .number(50), stamp: stamp(6)),
            ], now: start)
        #expect(lines(outcome.readings) == ["soil-3/level - flag(true) 1", "soil-3/f Hz number(50.0) 6"])
        #expect(outcome.readings.map(\.quality) == [.edgesMissed, .good])
        #expect(outcome.ends == [1, 1, 1, 1, 1, 1, 2])
        #expect(
            outcome.counts.rejected[.badName] == 3 && outcome.counts.rejected[.notANumber] == 1
                && outcome.counts.rejected[.tooLarge] == 1)
        #expect(balances(outcome.counts, readings: 2))
    }

    @Test("a decoder that gives too much costs its own message alone, all counted")
    func tooMuch() {
        var device = device()
        let many = FixedDecoder(
            decoded: Decoded(measurements: (0..<513).map { Measurement(metric: "m\($0)", value: .number(1)) }))
        let outcome = device.take(
            [RoutedMessage(message: message(""), decoder: many, stamp: stamp()), routed(#"{"a":1}"#)], now: start)
        #expect(outcome.ends == [0, 1])
        #expect(outcome.counts.rejected[.tooManyReadings] == 513)
        #expect(balances(outcome.counts, readings: 1))
    }

    @Test("a unit that changes makes a new series and is told once")
    func unitChange() {
        var device = device()
        func take(_ unit: String?) -> [DeviceNotice] {
            device.take(samples: [Sample(metric: "t", unit: unit, value: .number(1), stamp: stamp())], now: start)
                .notices
        }
        #expect(take("°C") == [])
        #expect(take("°F") == [.unitChanged(metric: "t", from: "°C", to: "°F")])
        #expect(take("°C") == [])
        #expect(take("°F") == [])
        #expect(take(nil) == [.unitChanged(metric: "t", from: "°F", to: nil)])
        #expect(device.status.seriesCount == 3)
        #expect(device.status.latest.map(\.series.unit) == [nil, "°C", "°F"])
    }

    @Test("a series is one and the same whatever order and form the messages have")
    func interning() {
        var device = device()
        let payloads = [#"{"a":1,"b":2,"c":3}"#, #"{"c":3,"a":1}"#, #"{"b":2}"#, #"{"d":4,"b":2,"a":1}"#]
        var readings = 0
        for round in 0..<20 {
            let outcome = device.take([routed(payloads[round % 4])], now: start)
            for reading in outcome.readings {
                guard case .number(let value) = reading.value else { continue }
                #expect(["a", "b", "c", "d"][Int(value) - 1] == reading.series.metric)
                readings += 1
            }
        }
        #expect(readings == 45)
        #expect(device.status.seriesCount == 4)
    }

    @Test("metrics without end are stopped at the device's limit and at the gateway's, and known ones go on")
    func tooManySeries() {
        let budget = SeriesBudget(limit: 1026)
        var first = device(budget: budget)
        for number in 0..<1100 {
            let outcome = first.take([routed(#"{"m\#(number)":1,"known":2}"#)], now: start)
            #expect(outcome.readings.count == (number < 1023 ? 2 : 1))
        }
        #expect(first.status.seriesCount == 1024)
        #expect(first.status.counts.rejected[.tooManySeries] == 1100 - 1023)

        var second = device(budget: budget)
        let outcome = second.take([routed(#"{"a":1,"b":2,"c":3}"#)], now: start)
        #expect(outcome.readings.count == 2)
        #expect(outcome.report?.rejection.detail == #""c" would be one series too many"#)
        #expect(budget.count == 1026)
    }

    @Test("a device that is no more gives its series back")
    func budgetReturns() async {
        let budget = SeriesBudget(limit: 2)
        for _ in 0..<5 {
            let device = Device(id: DeviceID("a"), series: budget, createdAt: start)
            let outcome = await device.take([routed(#"{"a":1,"b":2,"c":3}"#)], now: start)
            #expect(outcome.readings.count == 2)
            #expect(await device.status.seriesCount == 2)
        }
        #expect(budget.count == 0)
    }

    @Test("surplus over the quota is dropped by whole messages and counted, and time fills the quota again")
    func quota() {
        var device = device(DevicePolicy(quota: Quota(readingsPerSecond: 2, burst: 5)))
        let pair = routed(#"{"a":1,"b":2}"#)
        let outcome = device.take([pair, pair, pair, routed("7")], now: start)
        #expect(outcome.ends == [2, 4, 4, 5])
        #expect(outcome.counts.dropped[.quota] == 2)
        #expect(balances(outcome.counts, readings: 5))

        #expect(device.take([routed("7")], now: after(.milliseconds(499))).counts.dropped.total == 1)
        #expect(device.take([routed("7")], now: after(.milliseconds(500))).readings.count == 1)
        #expect(device.take([pair], now: after(.seconds(60))).readings.count == 2)
        #expect(device.take([pair], now: after(.seconds(60))).readings.count == 2)
        #expect(device.take([pair], now: after(.seconds(60))).readings.isEmpty)
        #expect(device.take([pair], now: start).readings.isEmpty, "time that goes back fills nothing")
    }

    @Test(
        "while the ring fills with what no sink has, low priorities make room, by whole messages and counted",
        arguments: [(0, 50), (2, 70), (4, 90), (5, 101), (9, 101)])
    func priorities(level: Int, until percent: Int) {
        let pressure = RingPressure()
        var device = DeviceState(
            id: DeviceID("soil-3"), policy: DevicePolicy(priority: Priority(level)), pressure: pressure,
            createdAt: start)
        let pair = routed(#"{"a":1,"b":2}"#)
        for value in [0, percent - 1, percent, 100, 0] where value <= 100 {
            pressure.percent = value
            let outcome = device.take([pair], now: start)
            #expect(outcome.readings.count == (value < percent ? 2 : 0))
            #expect(outcome.counts.dropped[.lowPriority] == (value < percent ? 0 : 2))
            #expect(balances(outcome.counts, readings: outcome.readings.count))
            // It has spoken, whether or not that was recorded.
            #expect(device.status.lastReadingAt == start)
        }
    }

    @Test("a message larger than the burst passes when the bucket is full, and is paid for")
    func largeMessage() {
        var device = device(DevicePolicy(quota: Quota(readingsPerSecond: 1, burst: 2)))
        let large = routed("[1,2,3,4]")
        #expect(device.take([large], now: start).readings.count == 4)
        #expect(device.take([large], now: after(.seconds(3))).readings.isEmpty)
        #expect(device.take([large], now: after(.seconds(4))).readings.count == 4)
    }

    @Test("a dropped message does not become the latest value")
    func droppedIsNotLatest() {
        var device = device(DevicePolicy(quota: Quota(readingsPerSecond: 1, burst: 1)))
        _ = device.take([routed(#"{"a":1}"#), routed(#"{"a":2}"#)], now: start)
        #expect(lines(device.status.latest) == ["soil-3/a - number(1.0) 0"])
    }

    @Test("a silent device is stale once per silence, and a reading makes it fresh again")
    func staleness() {
        var device = device(DevicePolicy(expectedInterval: .seconds(10)))
        #expect(device.silenceDeadline == after(.seconds(10)))
        #expect(device.checkSilence(now: after(.seconds(10))) == nil)
        #expect(device.checkSilence(now: after(.seconds(11))) == .stale(silentFor: .seconds(11)))
        #expect(device.checkSilence(now: after(.seconds(99))) == nil)
        #expect(device.silenceDeadline == nil)
        #expect(device.status.staleSince == after(.seconds(10)))

        #expect(device.take([routed("x"), routed("7", retained: true)], now: after(.seconds(100))).notices == [])
        #expect(device.status.staleSince != nil, "neither garbage nor a replay is a reading")
        #expect(device.take([routed("7"), routed("8")], now: after(.seconds(100))).notices == [.fresh])
        #expect(device.status.staleSince == nil)
        #expect(device.checkSilence(now: after(.seconds(110))) == nil)
        #expect(device.checkSilence(now: after(.seconds(111))) == .stale(silentFor: .seconds(11)))
    }

    @Test("a device that may be silent is never stale")
    func neverStale() {
        var device = device()
        #expect(device.silenceDeadline == nil)
        #expect(device.checkSilence(now: after(.seconds(1_000_000))) == nil)
    }

    @Test("rejections are reported once per interval, with how many were passed over")
    func reports() {
        var device = device()
        func take(_ count: Int, _ now: MonotonicInstant) -> RejectionReport? {
            device.take(Array(repeating: routed("{"), count: count), now: now).report
        }
        #expect(take(1, start)?.suppressed == 0)
        #expect(take(3, after(.seconds(1))) == nil)
        #expect(take(2, after(.seconds(59))) == nil)
        #expect(device.take([routed("1")], now: after(.seconds(61))).report == nil)
        #expect(take(2, after(.seconds(61)))?.suppressed == 6)
        #expect(take(1, after(.seconds(62))) == nil)
        #expect(take(1, after(.seconds(121)))?.suppressed == 1)
    }

    @Test("counts merge by reason, in the order of the words")
    func merging() {
        var counts = DeviceCounts()
        counts.received = 2
        counts.rejected.add(1, .wrongType)
        counts.rejected.add(0, .retained)
        var more = DeviceCounts()
        more.received = 5
        more.rejected.add(2, .badName)
        more.rejected.add(1, .wrongType)
        more.dropped.add(2, .mailboxFull)
        counts.merge(more)
        #expect(counts.received == 7)
        #expect(counts.rejected.entries.map { "\($0.reason.rawValue) \($0.count)" } == ["bad-name 2", "wrong-type 2"])
        #expect(counts.dropped[.mailboxFull] == 2 && counts.dropped[.quota] == 0)
    }

    @Test("the ledger balances on random input")
    func ledger() {
        var random = SeededBytes(seed: 3)
        var device = device(DevicePolicy(quota: Quota(readingsPerSecond: 50, burst: 20)))
        let payloads = [#"{"a":1,"b":null}"#, "{", "[1,2,3]", "", #"{"a":"x"}"#, "1e999"]
        var readings = 0
        for step in 0..<2000 {
            let batch = (0..<random.next() % 5).map { _ in
                routed(payloads[Int(random.next() % 6)], retained: random.next() % 5 == 0)
            }
            let outcome = device.take(batch, now: after(.milliseconds(10 * step)))
            readings += outcome.readings.count
            #expect(outcome.ends.count == batch.count && outcome.ends.last ?? 0 == outcome.readings.count)
            #expect(balances(outcome.counts, readings: outcome.readings.count))
        }
        #expect(balances(device.status.counts, readings: readings))
        #expect(device.status.counts.dropped.total > 0)
    }
}
