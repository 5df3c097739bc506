import Environment
import Supervision
import SupervisionCore
import Synchronization
import TestKit
import Testing

struct SupervisorTests {
    private let clock = ManualClock()
    private let log = EventLog()

    private func supervisor(_ policy: SupervisorPolicy = .quiet(), _ children: [ChildSpec]) -> Supervisor {
        Supervisor("root", policy: policy, clock: clock, seed: 1, events: log.record, children: children)
    }

    private func idle(_ id: String) -> ChildSpec {
        ChildSpec(id) { _ in try await untilCancelled() }
    }

    /// Fails at once in its first runs, then goes on.
    private func flaky(_ id: String, failures: Int, exceeded: Exceeded = .escalate) -> ChildSpec {
        ChildSpec(id, backoff: .second, exceeded: exceeded, intensity: Intensity(restarts: 1, period: .seconds(60))) {
            if $0.attempt <= failures { throw Broken() }
            try await untilCancelled()
        }
    }

    @Test func aChildThatThrowsIsRestartedAfterItsPause() async throws {
        let root = supervisor([flaky("a", failures: 1), idle("b")])
        async let life: Void = root.run()
        let due = clock.now.advanced(by: .seconds(1))
        await clock.sleeper(until: due)
        let before = await root.tree()
        #expect(before["a"]?.state == .backingOff)
        #expect(before["a"]?.lastFailure == "broken")
        clock.advance(to: due)
        await log.started("a", 2)
        let after = await root.tree()
        #expect(after["a"]?.state == .running && after["a"]?.restarts == 1)
        #expect(after["b"]?.restarts == 0)
        await root.stop()
        try await life
    }

    @Test func stopEndsTheChildrenLastFirstAndRunReturns() async throws {
        let ended = Mutex<[String]>([])
        let children = ["a", "b", "c"].map { id in
            ChildSpec(id) { _ in
                defer { ended.withLock { $0.append(id) } }
                try await untilCancelled()
            }
        }
        let root = supervisor(.quiet(), children)
        async let life: Void = root.run()
        await log.started("c")
        await root.stop()
        try await life
        #expect(ended.withLock { $0 } == ["c", "b", "a"])
        #expect(await root.tree().state == .stopped)
    }

    @Test func cancellingTheTaskThatRunsASupervisorStopsIt() async throws {
        let root = supervisor([idle("a")])
        let life = Task { try await root.run() }
        await log.started("a")
        life.cancel()
        try await life.value
        #expect(log.events.last?.kind == .stopped)
    }

    @Test func aChildThatIgnoresItsCancellationIsAbandonedAtItsDeadline() async throws {
        let gate = Gate()
        let root = supervisor([ChildSpec("a", shutdownDeadline: .seconds(3)) { _ in await gate.pass() }])
        let life = Task { try await root.run() }
        await log.started("a")
        life.cancel()
        let due = clock.now.advanced(by: .seconds(3))
        await clock.sleeper(until: due)
        clock.advance(to: due)
        try await life.value
        #expect(await root.tree()["a"]?.abandoned == 1)
        gate.open()
        await log.first { $0.kind == .returned(alive: 0) }
    }

    @Test func exceededIntensityFailsUpwardAndTheParentRestartsTheWholeSupervisor() async throws {
        let starts = Atomic(0)
        let inner = ChildSpec.supervisor("inner", policy: .quiet(restarts: 0), backoff: .second) {
            [
                idle("calm"),
                ChildSpec("wild") { _ in
                    if starts.add(1, ordering: .relaxed).newValue == 1 { throw Broken() }
                    try await untilCancelled()
                },
            ]
        }
        let root = supervisor([inner, idle("other")])
        async let life: Void = root.run()
        await log.first { $0.child == "inner" && $0.kind == .failed(reason: "wild: broken") }
        let due = clock.now.advanced(by: .seconds(1))
        await clock.sleeper(until: due)
        clock.advance(to: due)
        await log.started("inner", 2)
        await log.first { $0.child == "inner" && $0.kind == .restarting(after: .seconds(1)) }
        let tree = await root.tree()
        #expect(tree["inner"]?.restarts == 1 && tree["inner"]?.strategy == .oneForOne)
        #expect(tree["other"]?.restarts == 0)
        await root.stop()
        try await life
    }

    @Test func aRootThatExceedsItsIntensityThrows() async {
        let root = supervisor(.quiet(restarts: 0), [idle("a"), flaky("b", failures: 9)])
        await #expect(throws: SupervisionFailure.self) { try await root.run() }
        #expect(log.events.contains { $0.kind == .escalated(reason: "b: broken") })
    }

    @Test func twoChildrenOfOneNameAreRefusedBeforeAnythingStarts() async {
        let root = supervisor([idle("a"), idle("a")])
        await #expect(throws: SupervisionFailure.self) { try await root.run() }
        #expect(log.events.isEmpty)
    }

    @Test func aQuarantinedChildIsReleasedByHand() async throws {
        let root = supervisor([flaky("a", failures: 2, exceeded: .quarantine(coolDown: nil)), idle("b")])
        async let life: Void = root.run()
        let due = clock.now.advanced(by: .seconds(1))
        await clock.sleeper(until: due)
        clock.advance(to: due)
        await log.quarantined("a")
        #expect(await root.tree()["a"]?.state == .quarantined)
        try await root.release("a")
        await log.started("a", 3)
        await #expect(throws: Refusal.notQuarantined("a")) { try await root.release("a") }
        await root.stop()
        try await life
    }

    @Test func childrenComeAndGoUnderANestedSupervisor() async throws {
        let root = supervisor([.supervisor("devices", policy: .quiet()) { [] }])
        async let life: Void = root.run()
        await log.started("devices")
        try await root.add(idle("soil-3"), under: ["devices"])
        await log.started("soil-3")
        #expect(await root.tree()["devices"]?["soil-3"]?.state == .running)
        await #expect(throws: Refusal.duplicate("soil-3")) { try await root.add(idle("soil-3"), under: ["devices"]) }
        await #expect(throws: Refusal.unknown("sinks")) { try await root.add(idle("x"), under: ["sinks"]) }
        try await root.remove("soil-3", under: ["devices"])
        #expect(await root.tree()["devices"]?.children == [])
        try await root.add(idle("soil-3"), under: ["devices"])
        try await root.quarantine("soil-3", reason: "by hand", under: ["devices"])
        await log.quarantined("soil-3")
        await root.stop()
        try await life
    }

    @Test func aChildMayAddItsSiblings() async throws {
        let sibling = idle("b")
        let root = supervisor([
            ChildSpec("a") { context in
                try await context.supervisor.add(sibling)
                try await untilCancelled()
            }
        ])
        async let life: Void = root.run()
        await log.started("b")
        #expect(await root.tree().children.map(\.id) == ["a", "b"])
        await root.stop()
        try await life
    }

    @Test func aBeatingChildIsLeftAloneAndASilentOneReplaced() async throws {
        let contexts = Mutex<[ChildContext]>([])
        let root = supervisor([
            ChildSpec("a", heartbeat: Heartbeat(deadline: .seconds(10), grace: .seconds(1)), backoff: .second) {
                context in
                contexts.withLock { $0.append(context) }
                try await untilCancelled()
            }
        ])
        async let life: Void = root.run()
        let start = clock.now
        await clock.sleeper(until: start.advanced(by: .seconds(10)))
        clock.advance(by: .seconds(9))
        await log.started("a")
        await clock.sleepers(atLeast: 1)
        while contexts.withLock({ $0.isEmpty }) { await Task.yield() }
        contexts.withLock { $0 }[0].heartbeat()
        clock.advance(by: .seconds(1))
        // The beat at 9 s moves the deadline to 19 s.
        await clock.sleeper(until: start.advanced(by: .seconds(19)))
        #expect(!contexts.withLock { $0 }[0].isCancelled)
        clock.advance(by: .seconds(9))
        await log.first { $0.kind == .stuck(silence: .seconds(10)) }
        // It ends within its grace; time must not move before that is known.
        await log.first { if case .restarting = $0.kind { true } else { false } }
        await clock.sleeper(until: start.advanced(by: .seconds(20)))
        #expect(contexts.withLock { $0 }[0].isCancelled)
        clock.advance(by: .seconds(1))
        await log.started("a", 2)
        #expect(await root.tree()["a"]?.stuck == 1)
        await root.stop()
        try await life
        // The contexts hold their supervisor, and that the spec which holds them.
        contexts.withLock { $0 = [] }
    }

    @Test func progressIsAsOldAsTheSupervisorThatMovedLeast() async throws {
        let policy = SupervisorPolicy(progressInterval: .seconds(5))
        let root = supervisor(policy, [.supervisor("slow", policy: .quiet()) { [] }])
        async let life: Void = root.run()
        let start = clock.now
        await log.started("slow")
        await clock.sleepers(atLeast: 2)
        clock.advance(by: .seconds(5))
        await clock.sleeper(until: start.advanced(by: .seconds(10)))
        // The root woke to show that it can; the one below sleeps for much longer.
        #expect(root.lastProgress == start)
        try await root.remove("slow")
        #expect(root.lastProgress == start.advanced(by: .seconds(5)))
        await root.stop()
        try await life
    }
}

extension SupervisorTests {
    private func supervisor(_ children: [ChildSpec]) -> Supervisor { supervisor(.quiet(), children) }
}
