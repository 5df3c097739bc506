import Environment
import Supervision
import TestKit
import Testing

struct ManualClockTests {
    private let clock = ManualClock(at: MonotonicInstant(nanoseconds: 0))

    private func at(_ seconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 0).advanced(by: .seconds(seconds))
    }

    @Test func sleepersWakeInTheOrderOfTheirDeadlinesEachAtItsTime() async throws {
        let woken = Mailbox<Int>(capacity: 9, overflow: .refuse)
        for seconds in [3, 1, 2] {
            Task {
                try await clock.sleep(until: at(seconds))
                woken.offer(seconds)
            }
        }
        await clock.sleepers(atLeast: 3)
        #expect(clock.nextDeadline == at(1))
        for seconds in 1...3 {
            clock.advance(to: at(seconds))
            #expect(try await woken.next(upTo: 9) == [seconds])
        }
        #expect(clock.sleepers == 0 && clock.now == at(3))
        clock.advance(to: at(1))
        #expect(clock.now == at(3))
    }

    @Test func aSleepUntilThePastReturnsAtOnce() async throws {
        clock.advance(to: at(5))
        try await clock.sleep(until: at(5))
    }

    @Test func aCancelledSleepThrowsAndIsForgotten() async {
        let sleeper = Task { try await clock.sleep(until: at(9)) }
        await clock.sleeper(untilAtLeast: at(9))
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
        #expect(clock.sleepers == 0)
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            try await clock.sleep(until: at(9))
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
    }
}
