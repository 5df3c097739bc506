import Environment
import GPIODriver
import Model
import Testing

struct SettingsTests {
    private func settings(
        chip: String = "gpiochip0", line: GPIOSettings.Line = .number(3), mode: GPIOSettings.Mode = .level,
        edge: GPIOSettings.Edge? = nil, debounce: Duration = .zero, interval: Duration = .seconds(1)
    ) -> GPIOSettings {
        GPIOSettings(chip: chip, line: line, mode: mode, edge: edge, debounce: debounce, interval: interval)
    }

    @Test func eachModeHasTheEdgesThatSuitIt() {
        #expect(settings().edge == .both)
        #expect(settings(mode: .count).edge == .rising)
        #expect(settings(mode: .frequency).edge == .rising)
        #expect(settings(mode: .count, edge: .falling).edge == .falling)
    }

    @Test func settingsThatCannotWorkAreNamed() {
        #expect(settings().fault == nil)
        #expect(settings(chip: "").fault == "the chip has no name")
        #expect(settings(line: .name("")).fault == "the line has no name")
        #expect(settings(debounce: .seconds(11)).fault == "debounce must be 0 to 10 s")
        #expect(settings(debounce: .milliseconds(-1)).fault == "debounce must be 0 to 10 s")
        #expect(settings(interval: .milliseconds(9)).fault == "interval must be 10 ms to 1 d")
        #expect(
            settings(mode: .count, edge: GPIOSettings.Edge.none).fault
                == "mode \"count\" needs edges: set edge to rising, falling or both")
        #expect(
            settings(edge: GPIOSettings.Edge.none, debounce: .milliseconds(5)).fault
                == "debounce needs edges: set edge to rising, falling or both")
    }

    @Test func theWordsOfTheConfigurationAreTheRawValues() {
        #expect(GPIOSettings.Bias(rawValue: "pull-up") == .pullUp)
        #expect(GPIOSettings.Bias(rawValue: "as-is") == .asIs)
        #expect(GPIOSettings.Edge(rawValue: "both") == .both)
        #expect(GPIOSettings.Mode(rawValue: "frequency") == .frequency)
    }
}

struct EdgeTimeTests {
    private let stamp = Stamp(
        boot: BootID(high: 1, low: 2), uptime: Microseconds(9_000_000), wallOffset: Microseconds(77), isTrusted: true)

    @Test func edgesAreStampedOnTheClockThatCountsSuspend() {
        // The board was suspended for 4 s: its monotonic clock stands at 5 s.
        let time = EdgeTime(nanoseconds: 5_000_000_000, stamp: stamp)
        let edge = time.stamp(at: 4_999_000_500)
        #expect(edge.uptime == Microseconds(8_999_000))
        #expect(edge.boot == stamp.boot && edge.wallOffset == stamp.wallOffset && edge.isTrusted)
        #expect(time.stamp(at: 5_000_000_999).uptime == Microseconds(9_000_000))
        #expect(time.stamp(at: 4_999_999_999).uptime == Microseconds(8_999_999))
    }

    @Test func edgesKeepTheirOrder() {
        let time = EdgeTime(nanoseconds: 5_000_000_000, stamp: stamp)
        let stamps = stride(from: Int64(4_999_990_000), to: 5_000_010_000, by: 333).map { time.stamp(at: $0).uptime }
        #expect(stamps == stamps.sorted())
    }
}
