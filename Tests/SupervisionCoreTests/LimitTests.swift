import Environment
import SupervisionCore
import Testing

struct LimitTests {
    private let strict = SupervisorPolicy(intensity: Intensity(restarts: 2, period: .seconds(10)))

    @Test func oneRestartTooManyStopsAllChildrenLastFirstAndEscalates() {
        var bench = Bench([worker("a"), worker("b"), worker("c")], strict)
        bench.send(.start)
        for _ in 0..<2 {
            bench.fail("b", "no carrier")
            bench.pass(.seconds(2))
        }
        #expect(bench.fail("b", "no carrier").cancelled == [bench.instance("c")])
        #expect(bench.end("c").cancelled == [bench.instance("a")])
        #expect(bench.end("a").outcome == .escalated(reason: "b: no carrier"))
        #expect(bench.core.state == .ended(.escalated(reason: "b: no carrier")))
    }

    @Test func restartsOlderThanThePeriodNoLongerCount() {
        var bench = Bench([worker("a")], strict)
        bench.send(.start)
        for _ in 0..<20 {
            bench.fail("a")
            bench.pass(.seconds(17))
        }
        #expect(bench.core.state == .running)
    }

    @Test func siblingsShareTheIntensityUnlessTheyAreQuarantinedAlone() {
        var shared = Bench([worker("a"), worker("b"), worker("c")], strict)
        shared.send(.start)
        for child in ["a", "b", "c"] { shared.fail(child) }
        #expect(shared.core.state == .ended(.escalated(reason: "c: broken")))

        let alone = ["a", "b", "c"].map { worker($0, exceeded: .quarantine(coolDown: nil)) }
        var apart = Bench(alone, strict)
        apart.send(.start)
        for child in ["a", "b", "c"] { apart.fail(child) }
        #expect(apart.pass(.seconds(1)).started == ["a", "b", "c"])
    }

    @Test(arguments: [Strategy.oneForOne, .oneForAll, .restForOne])
    func aQuarantinedChildIsSetAsideAndItsSiblingsNeverNotice(strategy: Strategy) {
        let flaky = worker(
            "a", exceeded: .quarantine(coolDown: nil), intensity: Intensity(restarts: 0, period: .seconds(10)))
        var bench = Bench([flaky, worker("b")], SupervisorPolicy(strategy: strategy))
        bench.send(.start)
        let directives = bench.fail("a", "bad wiring")
        #expect(directives.cancelled.isEmpty && directives.started.isEmpty)
        #expect(directives.kinds.contains(.quarantined(reason: "bad wiring", coolDown: nil)))
        #expect(bench.core.status().map(\.state) == [.quarantined, .running])
        #expect(bench.pass(.seconds(1000)).started.isEmpty)
        #expect(bench.send(.release("a")).started == ["a"])
        #expect(bench.send(.release("a")).refusal == .notQuarantined("a"))
    }

    @Test func aCoolDownReleasesByItselfWithACleanSlate() {
        let intensity = Intensity(restarts: 1, period: .seconds(1000))
        let flaky = worker("a", exceeded: .quarantine(coolDown: .seconds(30)), intensity: intensity)
        var bench = Bench([flaky])
        bench.send(.start)
        bench.fail("a")
        bench.pass(.seconds(1))
        bench.fail("a")
        #expect(bench.state("a") == .quarantined)
        #expect(bench.pass(.seconds(29)).started.isEmpty)
        #expect(bench.pass(.seconds(1)).started == ["a"])
        #expect(bench.fail("a").kinds.contains(.restarting(after: .seconds(1))))
    }

    @Test func aChildMayBeginInQuarantine() {
        var bench = Bench([worker("a", quarantined: "three deaths in a row"), worker("b")])
        #expect(bench.send(.start).started == ["b"])
        #expect(bench.status("a")?.lastFailure == "three deaths in a row")
        #expect(bench.send(.release("a")).started == ["a"])
    }

    @Test func quarantineByHandStopsTheChildAndKeepsItOut() {
        var bench = Bench([worker("a"), worker("b")])
        bench.send(.start)
        #expect(bench.send(.quarantine("a", reason: "by hand")).cancelled == [bench.instance("a")])
        #expect(bench.state("a") == .stopping)
        bench.fail("a", "cancelled")
        #expect(bench.state("a") == .quarantined)
        #expect(bench.status("a")?.lastFailure == "by hand")
        #expect(bench.pass(.seconds(100)).started.isEmpty)
    }

    @Test func quarantineByHandHasNoCoolDown() {
        let flaky = worker("a", exceeded: .quarantine(coolDown: .seconds(30)), intensity: Intensity(restarts: 0))
        var bench = Bench([flaky])
        bench.send(.start)
        bench.fail("a")
        bench.send(.quarantine("a", reason: "keep it out"))
        #expect(bench.pass(.seconds(1000)).started.isEmpty)
    }

    @Test func aStatusSaysSinceWhenAChildIsInItsState() {
        var bench = Bench([worker("a")])
        bench.send(.start)
        bench.pass(.seconds(7))
        #expect(bench.status("a")?.since == MonotonicInstant(nanoseconds: 0))
        bench.fail("a")
        #expect(bench.status("a")?.since == bench.now)
    }

    @Test func childrenComeAndGoAtRunTimeWithinTheLimit() {
        var bench = Bench([worker("a")], SupervisorPolicy(maximumChildren: 2))
        bench.send(.start)
        #expect(bench.send(.add(worker("b"))).started == ["b"])
        #expect(bench.send(.add(worker("b"))).refusal == .duplicate("b"))
        #expect(bench.send(.add(worker("c"))).refusal == .full(limit: 2))
        #expect(bench.send(.remove("x")).refusal == .unknown("x"))
        #expect(bench.send(.remove("a")).cancelled == [bench.instance("a")])
        #expect(bench.end("a").contains(.forget(child: "a")))
        #expect(bench.send(.add(worker("c"))).started == ["c"])
        bench.send(.stop)
        #expect(bench.send(.add(worker("d"))).refusal == .notRunning)
    }

    @Test func aReasonIsCutToOneShortLine() {
        var bench = Bench([worker("a")])
        bench.send(.start)
        bench.fail("a", "first\nsecond" + String(repeating: "x", count: 1000))
        let reason = bench.status("a")?.lastFailure ?? ""
        #expect(reason.hasPrefix("first second") && reason.count == 200 && reason.hasSuffix("…"))
    }
}
