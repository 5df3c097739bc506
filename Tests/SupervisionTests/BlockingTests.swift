import Environment
import Glibc
import Supervision
import SupervisionCore
import Synchronization
import TestKit
import Testing
import Threads

/// What a driver in C may do to its thread, for as long as the test likes.
final class Trap: Sendable {
    private let semaphore = Semaphore()
    private let isOpen = Atomic(false)
    private let inside = Atomic(0)

    /// Threads that are caught now.
    var caught: Int { inside.load(ordering: .acquiring) }

    /// Sleeps in C.
    func block() {
        inside.add(1, ordering: .releasing)
        semaphore.wait()
        semaphore.post()
        inside.subtract(1, ordering: .releasing)
    }

    /// Burns its thread.
    func spin() {
        inside.add(1, ordering: .releasing)
        while !isOpen.load(ordering: .acquiring) {}
        inside.subtract(1, ordering: .releasing)
    }

    func open() {
        isOpen.store(true, ordering: .releasing)
        semaphore.post()
    }
}

struct BlockingTests {
    private let clock = ManualClock()
    private let log = EventLog()

    private var threadName: String {
        guard let file = fopen("/proc/thread-self/comm", "r") else { return "" }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 32)
        guard fgets(&line, 32, file) != nil else { return "" }
        return String(decoding: line.prefix { $0 != 10 && $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Threads of the shared pool, at most one for each processor.
    private let poolThreads = sysconf(Int32(_SC_NPROCESSORS_ONLN))

    /// The brief of a hung child: silent from the start, replaced once, then quarantined for its two leaked threads.
    private func hung(_ id: String, _ body: @escaping @Sendable () async -> Void) -> ChildSpec {
        ChildSpec(
            id, placement: .ownThread, heartbeat: Heartbeat(deadline: .seconds(10), grace: .seconds(2)),
            backoff: .second, exceeded: .quarantine(coolDown: nil), abandonedLimit: 2
        ) { _ in await body() }
    }

    @Test(.timeLimit(.minutes(1)))
    func moreHungChildrenThanThePoolHasThreadsLeaveTheirSiblingAlone() async throws {
        let (trap, gate) = (Trap(), Gate())
        let blocked = (0..<poolThreads + 2).map { index in hung("blocked-\(index)") { trap.block() } }
        let others = [hung("spinning") { trap.spin() }, hung("awaiting") { await gate.pass() }]
        let (requests, replies) = (
            Mailbox<Int>(capacity: 1, overflow: .refuse), Mailbox<Int>(capacity: 1, overflow: .refuse)
        )
        let echo = ChildSpec("echo") { _ in
            while let batch = try await requests.next(upTo: 1) { replies.offer(contentsOf: batch) }
        }
        let root = Supervisor(
            "root", policy: .quiet(stopOrder: .together), clock: clock, seed: 1, events: log.record,
            children: blocked + others + [echo])
        async let life: Void = root.run()

        func echoes(_ count: Int) async throws {
            for number in 0..<count {
                requests.offer(number)
                #expect(try await replies.next(upTo: 1) == [number])
            }
        }
        for round in 1...2 {
            let start = clock.now
            while trap.caught < round * (blocked.count + 1) { await Task.yield() }
            // All of them hang now, and the sibling answers as ever.
            try await echoes(500)
            clock.advance(to: start.advanced(by: .seconds(10)))
            await clock.sleeper(until: start.advanced(by: .seconds(12)))
            let stuck = await root.tree()
            #expect(stuck.children.filter { $0.state == .stuck }.count == blocked.count + 2)
            clock.advance(to: start.advanced(by: .seconds(12)))
            if round == 1 {
                await clock.sleeper(until: start.advanced(by: .seconds(13)))
                clock.advance(to: start.advanced(by: .seconds(13)))
            }
        }
        for child in blocked + others { await log.quarantined(child.id) }
        try await echoes(500)
        let tree = await root.tree()
        #expect(tree["echo"]?.restarts == 0)
        for child in blocked + others {
            #expect(
                tree[child.id]?.state == .quarantined && tree[child.id]?.abandoned == 2 && tree[child.id]?.stuck == 2)
        }
        // What hung comes to its end at last: the threads are given back, and the children may be released.
        trap.open()
        gate.open()
        for child in blocked + others {
            await log.first { $0.child == child.id && $0.kind == .returned(alive: 0) }
        }
        #expect(trap.caught == 0)
        await root.stop()
        try await life
    }

    @Test(.timeLimit(.minutes(1)))
    func aChildOnItsOwnThreadStaysThereAndItsSupervisorNeverRunsThere() async throws {
        let seen = Mutex<(names: [String], threads: Set<pthread_t>, own: pthread_t?)>(([], [], nil))
        let root = Supervisor(
            "root", policy: .quiet(), clock: clock, seed: 1,
            events: { event in
                seen.withLock { _ = $0.threads.insert(pthread_self()) }
                log.record(event)
            },
            children: [
                ChildSpec("gpio-line-number-17", restart: .transient, placement: .ownThread) { context in
                    for _ in 0..<20 {
                        await Task.yield()
                        _ = await context.supervisor.tree()
                        seen.withLock {
                            $0.names.append(threadName)
                            $0.own = pthread_self()
                        }
                    }
                }
            ])
        async let life: Void = root.run()
        await log.first { $0.kind == .finished }
        let (names, threads, own) = seen.withLock { $0 }
        #expect(names == Array(repeating: "gpio-line-numbe", count: 20))
        #expect(own.map { !threads.contains($0) } == true)
        await root.stop()
        try await life
    }

    @Test(.timeLimit(.minutes(1)))
    func anyThreadMayBeatAndSeeTheCancellation() async throws {
        let ended = Mailbox<Int64>(capacity: 1, overflow: .refuse)
        let root = Supervisor(
            "root", policy: .quiet(), clock: clock, seed: 1, events: log.record,
            children: [
                ChildSpec("a", placement: .ownThread, heartbeat: Heartbeat(deadline: .seconds(1))) { context in
                    // No await, as in a loop in C.
                    while !context.isCancelled { context.heartbeat() }
                    ended.offer(1)
                }
            ])
        async let life: Void = root.run()
        await log.started("a")
        await root.stop()
        try await life
        #expect(ended.counts.waiting == 1)
        #expect(log.events.last?.kind == .stopped)
    }
}
