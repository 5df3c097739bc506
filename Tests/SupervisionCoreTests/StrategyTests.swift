import Environment
import SupervisionCore
import Testing

struct StrategyTests {
    private let three = [worker("a"), worker("b"), worker("c")]

    @Test func childrenStartInTheOrderInWhichTheyWereAdded() {
        var bench = Bench(three)
        #expect(bench.last.started.isEmpty)
        #expect(bench.send(.start).started == ["a", "b", "c"])
    }

    @Test func oneForOneRestartsOnlyTheChildThatFailedAfterItsPause() {
        var bench = Bench(three)
        bench.send(.start)
        #expect(bench.fail("b").cancelled.isEmpty)
        #expect(bench.state("b") == .backingOff)
        #expect(bench.pass(.milliseconds(999)).started.isEmpty)
        #expect(bench.pass(.milliseconds(1)).started == ["b"])
        #expect(bench.status("b")?.restarts == 1)
        #expect(bench.status("b")?.lastFailure == "broken")
    }

    @Test func oneForAllStopsTheOthersLastFirstAndStartsAllInOrder() {
        var bench = Bench(three, SupervisorPolicy(strategy: .oneForAll))
        bench.send(.start)
        #expect(bench.fail("b").cancelled == [bench.instance("c")])
        #expect(bench.end("c").cancelled == [bench.instance("a")])
        #expect(bench.end("a").started.isEmpty)
        #expect(bench.core.status().map(\.state) == [.restarting, .restarting, .restarting])
        #expect(bench.pass(.seconds(1)).started == ["a", "b", "c"])
    }

    @Test func restForOneLeavesEarlierSiblingsAlone() {
        var bench = Bench(three, SupervisorPolicy(strategy: .restForOne))
        bench.send(.start)
        #expect(bench.fail("b").cancelled == [bench.instance("c")])
        #expect(bench.state("a") == .running)
        bench.pass(.seconds(2))
        #expect(bench.end("c").started == ["b", "c"])
    }

    @Test func aFailureFartherUpWidensAGroupRestartThatIsUnderWay() {
        var bench = Bench(three, SupervisorPolicy(strategy: .restForOne))
        bench.send(.start)
        bench.fail("c")
        bench.pass(.milliseconds(500))
        #expect(bench.fail("a").cancelled == [bench.instance("b")])
        #expect(bench.end("b").started.isEmpty)
        #expect(bench.pass(.milliseconds(500)).started.isEmpty)
        #expect(bench.pass(.milliseconds(500)).started == ["a", "b", "c"])
    }

    @Test func aWidenedGroupRestartKeepsTheLongerPause() {
        var bench = Bench(three, SupervisorPolicy(strategy: .restForOne))
        bench.send(.start)
        bench.fail("c")
        bench.pass(.seconds(1))
        bench.fail("c")
        bench.fail("a")
        bench.end("b")
        #expect(bench.pass(.milliseconds(1999)).started.isEmpty)
        #expect(bench.pass(.milliseconds(1)).started == ["a", "b", "c"])
    }

    @Test func siblingsThatFailWhileTheirGroupStopsDoNotCountAsFailures() {
        let policy = SupervisorPolicy(strategy: .oneForAll, intensity: Intensity(restarts: 1, period: .seconds(60)))
        var bench = Bench(three, policy)
        bench.send(.start)
        bench.fail("a")
        bench.fail("b")
        #expect(bench.fail("c").kinds.contains { if case .escalated = $0 { true } else { false } } == false)
        #expect(bench.pass(.seconds(1)).started == ["a", "b", "c"])
    }

    @Test func aTransientChildRestartsAfterAFailureAndNotAfterAReturn() {
        var bench = Bench([worker("a", .transient), worker("b", .transient)])
        bench.send(.start)
        bench.fail("a")
        #expect(bench.end("b").kinds == [.finished])
        #expect(bench.pass(.seconds(10)).started == ["a"])
        #expect(bench.state("b") == .finished)
    }

    @Test func aTemporaryChildIsForgottenHoweverItEnds() {
        var bench = Bench([worker("a", .temporary), worker("b", .temporary)])
        bench.send(.start)
        #expect(bench.fail("a").contains(.forget(child: "a")))
        #expect(bench.end("b").contains(.forget(child: "b")))
        #expect(bench.core.status().isEmpty)
        #expect(bench.pass(.seconds(10)).started.isEmpty)
    }

    @Test func aPermanentChildThatReturnsHasFailed() {
        var bench = Bench([worker("a")])
        bench.send(.start)
        bench.end("a")
        #expect(bench.status("a")?.lastFailure == "ended, though it is permanent")
        #expect(bench.pass(.seconds(1)).started == ["a"])
    }

    @Test func pausesDoubleUpToTheirLimitAndAStableRunEndsTheSeries() {
        let policy = SupervisorPolicy(intensity: Intensity(restarts: 100, period: .seconds(60)))
        var bench = Bench([worker("a")], policy)
        bench.send(.start)
        var pauses: [Duration] = []
        for _ in 0..<6 {
            for case .restarting(let pause) in bench.fail("a").kinds { pauses.append(pause) }
            bench.pass(.seconds(16))
        }
        #expect(pauses == [1, 2, 4, 8, 16, 16].map { .seconds($0) })
        bench.pass(.seconds(100))
        #expect(bench.fail("a").kinds.contains(.restarting(after: .seconds(1))))
    }

    @Test func fullJitterStaysWithinThePauseAndFillsIt() {
        let backoff = Backoff(initial: .seconds(1), maximum: .seconds(8))
        var rng = SeededRandom(seed: 7)
        let pauses = (0..<1000).map { _ in backoff.pause(after: 2, using: &rng) }
        #expect(pauses.allSatisfy { $0 >= .zero && $0 <= .seconds(4) })
        #expect(pauses.contains { $0 < .milliseconds(400) } && pauses.contains { $0 > .milliseconds(3600) })
        #expect(backoff.ceiling(after: 1_000_000) == .seconds(8))
    }
}
