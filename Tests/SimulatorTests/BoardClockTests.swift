import Environment
import Model
import Testing

@testable import Simulator

@Suite("The clocks of a board")
struct BoardClockTests {
    private let hour = 3600 * SimulatedTime.second

    @Test(
        "A wake comes when the board's clock has reached it, never before, however it drifts",
        arguments: [
            -200, 0, 200,
        ] as [Int64])
    func moments(drift: Int64) {
        var clock = BoardClock(gateway: 0)
        clock.driftPPM = drift
        for time in stride(from: hour, to: 5 * hour, by: Int(hour / 7)) {
            let wanted = clock.now(time).advanced(by: .milliseconds(1500))
            let moment = clock.moment(of: wanted)
            #expect(clock.now(moment) >= wanted)
            #expect(clock.now(moment - 2_000_000) < wanted)
        }
    }

    @Test("Monotonic time starts anew with the kernel, and the wall clock in 1970 where nobody knows the time")
    func restart() {
        var clock = BoardClock(gateway: 2)
        let before = clock.stamp(hour, jitter: 0)
        #expect(before.isTrusted)
        #expect(before.wall.rawValue == BoardClock.worldWall / 1000 + 3600 * 1000)
        clock.restart(at: hour, knowsTime: false)
        #expect(clock.now(hour) < MonotonicInstant(nanoseconds: hour))
        let after = clock.stamp(hour + SimulatedTime.second, jitter: 0)
        #expect(after.boot != before.boot)
        #expect(!after.isTrusted)
        #expect(after.wall.rawValue < 60_000)
        clock.trust()
        let right = clock.stamp(hour + SimulatedTime.second, jitter: 0)
        #expect(right.wall.rawValue == BoardClock.worldWall / 1000 + 3601 * 1000)
    }

    @Test("A step moves the wall and not the uptime, and a frozen wall stands still")
    func steps() {
        var clock = BoardClock(gateway: 0)
        let before = clock.stamp(hour, jitter: 0)
        clock.jump(by: -7_200_000_000, at: hour)
        let after = clock.stamp(hour, jitter: 0)
        #expect(after.uptime == before.uptime)
        #expect(before.wall.rawValue - after.wall.rawValue == 7_200_000)
        clock.freeze(at: hour)
        #expect(clock.stamp(hour, jitter: 0).wall == clock.stamp(2 * hour, jitter: 0).wall)
        #expect(!clock.stamp(hour, jitter: 0).isTrusted)
    }
}
