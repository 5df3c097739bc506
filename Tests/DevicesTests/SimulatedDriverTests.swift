import Devices
import Environment
import Model
import Synchronization
import Testing

/// A clock on which every sleep is over at once; cancels its sleeper after so many.
private final class LeapingClock: Clock {
    private struct State {
        var now = MonotonicInstant(nanoseconds: 0)
        var sleepsLeft: Int
    }

    private let state: Mutex<State>
    /// Sleeps end this much late.
    private let lateness: Duration

    init(sleeps: Int, lateness: Duration = .zero) {
        state = Mutex(State(sleepsLeft: sleeps))
        self.lateness = lateness
    }

    var now: MonotonicInstant { state.withLock { $0.now } }
    var stamp: Stamp { DevicesTests.stamp(now.nanoseconds / 1_000_000) }

    func sleep(until deadline: MonotonicInstant) async throws {
        try state.withLock { state in
            if state.sleepsLeft == 0 { throw CancellationError() }
            state.sleepsLeft -= 1
            state.now = max(state.now, deadline.advanced(by: lateness))
        }
    }
}

@Suite("The simulated driver")
struct SimulatedDriverTests {
    private func values(_ settings: SimulatedSettings, _ count: Int) -> [Value?] {
        var signal = SimulatedSignal(settings)
        return (0..<count).map { _ in signal.next() }
    }

    private func numbers(_ settings: SimulatedSettings, _ count: Int) -> [Double] {
        values(settings, count).compactMap { if case .number(let number)? = $0 { number } else { nil } }
    }

    private func run(_ settings: SimulatedSettings, _ clock: LeapingClock) async -> (samples: [Sample], heartbeats: Int)
    {
        let samples = Mutex<[Sample]>([])
        let heartbeats = Atomic<Int>(0)
        let port = DriverPort(
            clock: clock, emit: { new in samples.withLock { $0 += new } },
            heartbeat: { heartbeats.wrappingAdd(1, ordering: .relaxed) })
        await #expect(throws: CancellationError.self) { try await SimulatedDriver(settings).run(port) }
        return (samples.withLock { $0 }, heartbeats.load(ordering: .relaxed))
    }

    @Test("a sine goes once around its mean per period")
    func sine() {
        let settings = SimulatedSettings(period: .seconds(8), amplitude: 10, mean: 20, interval: .seconds(1))
        let half = 10 * 0.5.squareRoot()
        let expected = [20, 20 + half, 30, 20 + half, 20, 20 - half, 10, 20 - half, 20]
        for (found, expected) in zip(numbers(settings, 9), expected) { #expect(abs(found - expected) < 1e-5) }
        #expect(numbers(settings, 9).count == 9)
    }

    @Test(
        "the same settings give the same values, and another seed gives others",
        arguments: SimulatedSettings.Wave.allCases)
    func deterministic(wave: SimulatedSettings.Wave) {
        var settings = SimulatedSettings(wave: wave, period: .seconds(2), noise: 0.5)
        let first = values(settings, 200)
        #expect(values(settings, 200) == first)
        settings.seed = 2
        #expect((values(settings, 200) == first) == (wave == .counter))
    }

    @Test("noise has the mean and the deviation that were asked for")
    func noise() {
        let found = numbers(SimulatedSettings(wave: .noise, amplitude: 2, mean: 5), 20_000)
        let mean = found.reduce(0, +) / 20_000
        let deviation = (found.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000).squareRoot()
        #expect(abs(mean - 5) < 0.05 && abs(deviation - 2) < 0.05)
    }

    @Test("edges tell the first level and then only changes, about one per period")
    func edges() {
        let found = values(SimulatedSettings(wave: .edges, period: .seconds(10), interval: .seconds(1)), 10_000)
        #expect(found.first != .some(nil))
        let told = found.compactMap { $0 }
        for (one, next) in zip(told, told.dropFirst()) { #expect(one != next) }
        #expect((900...1100).contains(told.count))
    }

    @Test("one sample is emitted per interval, on the clock, with a sign of life")
    func emits() async {
        let settings = SimulatedSettings(metric: "n", unit: "x", wave: .counter, interval: .milliseconds(500))
        let (samples, heartbeats) = await run(settings, LeapingClock(sleeps: 4))
        #expect(samples.map(\.value) == [.number(0), .number(1), .number(2), .number(3)])
        #expect(samples.map { $0.stamp.uptime.rawValue } == [0, 500_000, 1_000_000, 1_500_000])
        #expect(samples.allSatisfy { $0.metric == "n" && $0.unit == "x" })
        #expect(heartbeats == 4)
    }

    @Test("a fast signal is emitted in groups whose samples keep their distance in time")
    func fast() async {
        let settings = SimulatedSettings(wave: .counter, interval: .milliseconds(2))
        let (samples, heartbeats) = await run(settings, LeapingClock(sleeps: 3))
        #expect(samples.count == 15 && heartbeats == 3)
        let times = samples.map { $0.stamp.uptime.rawValue }
        for (one, next) in zip(times, times.dropFirst()) { #expect(next - one == 2000) }
    }

    @Test("after a pause only a second is made up for")
    func pause() async {
        let settings = SimulatedSettings(wave: .counter, interval: .milliseconds(100))
        let clock = LeapingClock(sleeps: 3, lateness: .seconds(3600))
        let (samples, _) = await run(settings, clock)
        #expect(samples.count == 3)
        #expect(clock.now < MonotonicInstant(nanoseconds: 3 * 3600 * 1_000_000_000 + 1))
    }

    @Test("a silent contact still shows that its driver lives")
    func silentContact() async {
        let settings = SimulatedSettings(wave: .edges, period: .seconds(1_000_000), interval: .seconds(1))
        let (samples, heartbeats) = await run(settings, LeapingClock(sleeps: 50))
        #expect(samples.count == 1 && heartbeats == 50)
    }
}
