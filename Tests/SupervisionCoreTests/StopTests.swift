import Environment
import SupervisionCore
import Testing

struct StopTests {
    @Test func childrenStopLastFirstEachWaitingForTheOneBehindIt() {
        var bench = Bench([worker("a"), worker("b"), worker("c")])
        bench.send(.start)
        #expect(bench.send(.stop).cancelled == [bench.instance("c")])
        #expect(bench.end("c").cancelled == [bench.instance("b")])
        #expect(bench.fail("b", "cancelled").cancelled == [bench.instance("a")])
        #expect(bench.end("a").last == .end(.stopped))
        #expect(bench.core.nextDeadline == nil)
    }

    @Test func aChildThatDoesNotEndInTimeIsAbandonedAndTheStopGoesOn() {
        var bench = Bench([worker("a"), worker("b")])
        bench.send(.start)
        bench.send(.stop)
        let directives = bench.pass(.seconds(5))
        #expect(directives.abandoned == [bench.instance("b")])
        #expect(directives.cancelled == [bench.instance("a")])
        #expect(bench.status("b")?.abandonedAlive == 1)
        #expect(bench.end("a").outcome == .stopped)
        #expect(bench.end("b").kinds == [.returned(alive: 0)])
    }

    @Test func childrenStoppedTogetherShareTheirTime() {
        var bench = Bench([worker("a"), worker("b"), worker("c")], SupervisorPolicy(stopOrder: .together))
        bench.send(.start)
        #expect(bench.send(.stop).cancelled.count == 3)
        bench.end("a")
        #expect(bench.pass(.seconds(5)).outcome == .stopped)
        #expect(bench.core.status().map(\.abandoned) == [0, 1, 1])
    }

    @Test func pausesAndCoolDownsDoNotHoldUpAStop() {
        let flaky = worker("b", exceeded: .quarantine(coolDown: .seconds(9)), intensity: Intensity(restarts: 0))
        var bench = Bench([worker("a"), flaky])
        bench.send(.start)
        bench.fail("a")
        bench.fail("b")
        #expect(bench.send(.stop).outcome == .stopped)
        #expect(bench.core.status().map(\.state) == [.stopped, .quarantined])
    }

    @Test func aStopBeforeTheStartEndsAtOnce() {
        var bench = Bench([worker("a")])
        #expect(bench.send(.stop).outcome == .stopped)
    }
}

struct HeartbeatTests {
    private let beating = Heartbeat(deadline: .seconds(10), grace: .seconds(2))

    @Test func aChildThatBeatsIsLeftAlone() {
        var bench = Bench([worker("a", heartbeat: beating)])
        bench.send(.start)
        for _ in 0..<100 {
            bench.beat("a")
            #expect(bench.pass(.milliseconds(9900)).cancelled.isEmpty)
        }
    }

    @Test func aSilentChildIsCancelledCountedAndReplacedOnceItEnds() {
        var bench = Bench([worker("a", heartbeat: beating)])
        bench.send(.start)
        let first = bench.instance("a")
        let directives = bench.pass(.seconds(10))
        #expect(directives.cancelled == [first])
        #expect(directives.kinds == [.stuck(silence: .seconds(10))])
        #expect(bench.state("a") == .stuck)
        bench.end("a")
        #expect(bench.status("a")?.lastFailure == "silent for 10 s")
        #expect(bench.pass(.seconds(1)).started == ["a"])
        #expect(bench.status("a")?.stuck == 1 && bench.status("a")?.abandoned == 0)
    }

    @Test func aChildThatWaitsForItsTurnToStopIsNotTakenForStuck() {
        var bench = Bench([worker("a", heartbeat: Heartbeat(deadline: .seconds(2))), worker("b")])
        bench.send(.start)
        bench.send(.stop)
        #expect(bench.pass(.seconds(4)).events.isEmpty)
        #expect(bench.end("b").cancelled == [bench.instance("a")])
    }

    @Test func aSilentChildThatDoesNotEndIsAbandonedAfterItsGraceAndReplaced() {
        var bench = Bench([worker("a", heartbeat: beating), worker("b")])
        bench.send(.start)
        let first = bench.instance("a")
        bench.pass(.seconds(10))
        #expect(bench.pass(.seconds(2)).abandoned == [first])
        #expect(bench.pass(.seconds(1)).started == ["a"])
        #expect(bench.status("a")?.abandonedAlive == 1)
        #expect(bench.send(.exited(first, .finished)).kinds == [.returned(alive: 0)])
        #expect(bench.status("a")?.abandoned == 1 && bench.state("a") == .running)
    }

    @Test func aChildWithTooManyLivingAbandonedRunsIsQuarantinedUntilTheyEnd() {
        let child = worker("a", exceeded: .quarantine(coolDown: .seconds(60)), heartbeat: beating)
        var bench = Bench([child])
        bench.send(.start)
        let first = bench.instance("a")
        bench.pass(.seconds(14))
        #expect(bench.instance("a") != first)
        bench.pass(.seconds(12))
        #expect(bench.state("a") == .quarantined)
        #expect(bench.pass(.seconds(1000)).started.isEmpty)
        #expect(bench.send(.release("a")).refusal == .abandonedAlive("a", count: 2))
        bench.send(.exited(first, .finished))
        #expect(bench.pass(.zero).started == ["a"])
    }

    @Test func removingAndAddingAChildIsNoWayAroundItsAbandonedRuns() {
        var bench = Bench([worker("a", abandonedLimit: 1)])
        bench.send(.start)
        bench.send(.remove("a"))
        #expect(bench.pass(.seconds(5)).abandoned.count == 1)
        #expect(bench.send(.add(worker("a", abandonedLimit: 1))).started.isEmpty)
        #expect(bench.state("a") == .quarantined)
        bench.end("a")
        #expect(bench.send(.release("a")).started == ["a"])
    }

    @Test func anAbandonedChildThatMustNotBeQuarantinedEscalates() {
        var bench = Bench([worker("a", heartbeat: beating, abandonedLimit: 1), worker("b")])
        bench.send(.start)
        bench.pass(.seconds(12))
        #expect(
            bench.core.state
                == .stopping(.escalated(reason: "a: 1 abandoned runs are still alive, 1 under the supervisor")))
        bench.end("b")
        #expect(bench.core.nextDeadline == nil)
    }
}
