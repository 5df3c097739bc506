import Model
import Testing

@testable import GatewayCore

@Suite("What stands for a window")
struct DownsamplerTests {
    private func reading(
        _ metric: String, at second: Int64, _ value: Value, quality: Quality = .good, unit: String? = "°C",
        boot: UInt64 = 1
    ) -> Reading {
        Reading(
            series: Series(device: DeviceID("boiler"), metric: metric, unit: unit),
            stamp: Stamp(
                boot: BootID(high: 0, low: boot), uptime: Microseconds(second * 1_000_000),
                wallOffset: Microseconds(0), isTrusted: true),
            value: value, quality: quality)
    }

    private func downsampled(_ readings: [Reading], window: Duration = .seconds(60)) -> [Reading] {
        var downsampler = Downsampler(window: window)
        for reading in readings { downsampler.take(reading, at: reading.stamp.wall) }
        return downsampler.readings()
    }

    @Test("Numbers become their least, greatest, mean and count, with the first one's time and the worst quality")
    func numbers() {
        let given = (0..<60).map {
            reading("t", at: Int64(60 + $0), .number(Double($0)), quality: $0 == 30 ? .stale : .good)
        }
        let found = downsampled(given)
        #expect(found.map(\.series.metric) == ["t@1min.min", "t@1min.max", "t@1min.mean", "t@1min.count"])
        #expect(found.map(\.series.unit) == ["°C", "°C", "°C", nil])
        #expect(found.map(\.value)[..<2] == [.number(0), .number(59)])
        guard case .number(let mean) = found[2].value else { return #expect(Bool(false), "\(found[2])") }
        #expect(abs(mean - 29.5) < 1e-9)
        #expect(found[3].value == .number(60))
        #expect(found.allSatisfy { $0.stamp == given[0].stamp && $0.quality == .stale })
    }

    @Test("Windows are of Unix time, and each boot, series and unit has its own")
    func windows() {
        var given: [Reading] = []
        for second in Int64(0)..<240 {
            given.append(reading("t", at: second, .number(1), boot: second < 100 ? 1 : 2))
            given.append(reading("t", at: second, .number(2), unit: "°F"))
        }
        let counts = downsampled(given).filter { $0.series.metric.hasSuffix("count") }.map(\.value)
        // Of °C: seconds 0 to 59, 60 to 99 of one boot, 100 to 119 of the other, then two whole ones.
        #expect(counts == [60, 60, 40, 60, 20, 60, 60, 60, 60].map { .number($0) })
    }

    @Test("Of flags and texts the last stays, and one number is its own mean")
    func others() {
        let given = [
            reading("door", at: 60, .flag(true)), reading("door", at: 61, .flag(false)),
            reading("door", at: 62, .flag(true)),
            reading("mode", at: 63, .text("auto")), reading("mode", at: 64, .text("off")),
            reading("level", at: 65, .number(7)),
        ]
        let found = downsampled(given)
        #expect(found.map(\.series.metric) == ["door@1min.last", "mode@1min.last", "level@1min.mean"])
        #expect(found.map(\.value) == [.flag(true), .text("off"), .number(7)])
    }

    @Test("What was downsampled before stays as it is, and half as many as were there at most: the newest")
    func half() {
        let old = (0..<30).map { reading("t@1min.mean", at: Int64($0 * 60), .number(Double($0))) }
        let fresh = (0..<10).map { reading("t", at: Int64(3600 + $0), .number(1)) }
        let found = downsampled(old + fresh)
        #expect(found.count == 20)
        #expect(found[..<16] == old[14...])
        #expect(found[16...].map(\.series.metric) == ["t@1min.min", "t@1min.max", "t@1min.mean", "t@1min.count"])
    }

    @Test("The greatest numbers have a mean")
    func extremes() {
        let given = (0..<8).map {
            reading(
                "t", at: Int64($0), .number($0.isMultiple(of: 2) ? .greatestFiniteMagnitude : -.greatestFiniteMagnitude)
            )
        }
        for reading in downsampled(given) {
            guard case .number(let number) = reading.value else { continue }
            #expect(number.isFinite)
        }
    }

    @Test(
        "A name says what it is, and a metric that is none is left alone",
        arguments: [
            ("t@10min.mean", true), ("a.b@1h.count", true), ("t@90s.last", true), ("mail@example.com", false),
            ("t@10min", false), ("t@10min.sum", false), ("@", false), ("t", false), ("t@.mean", false),
        ])
    func names(metric: String, isOne: Bool) {
        #expect(Series(device: DeviceID("d"), metric: metric).isDownsampled == isOne)
    }

    @Test("Too long a name leaves nothing, and what is beyond the windows that fit is left out")
    func limits() {
        let long = String(repeating: "m", count: Limits.metricNameBytes - 4)
        #expect(downsampled((0..<9).map { reading(long, at: Int64($0), .number(1)) }).isEmpty)
        var downsampler = Downsampler(window: .seconds(1))
        for second in 0..<Downsampler.mostWindows * 3 {
            downsampler.take(reading("t", at: Int64(second), .number(1)), at: Milliseconds(Int64(second) * 1000))
        }
        #expect(downsampler.taken == Downsampler.mostWindows * 3)
        #expect(downsampler.readings().count == Downsampler.mostWindows)
    }
}
