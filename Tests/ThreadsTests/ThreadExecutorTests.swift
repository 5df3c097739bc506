import Glibc
import TestKit
import Testing
import Threads

@Suite(.timeLimit(.minutes(1))) struct ThreadExecutorTests {
    @Test("A thread ends once it is retired and idle, and later work runs on the pool")
    func retirement() async throws {
        let ended = Semaphore()
        let executor = try ThreadExecutor(name: "short", whenEnded: { ended.post() })
        let task = Task(executorPreference: executor) {
            await Task.yield()
            return threadName()
        }
        #expect(await task.value == "short")
        executor.retire()
        await onThread { ended.wait() }
        #expect(await Task(executorPreference: executor) { threadName() }.value != "short")
    }

    @Test("Work that was queued before the retirement is done on the thread")
    func queuedWork() async throws {
        let (isHeld, mayGoOn) = (Semaphore(), Semaphore())
        let executor = try ThreadExecutor(name: "queued")
        let first = Task(executorPreference: executor) {
            isHeld.post()
            mayGoOn.wait()
        }
        await onThread { isHeld.wait() }
        let others = (0..<20).map { number in Task(executorPreference: executor) { (number, threadName()) } }
        executor.retire()
        mayGoOn.post()
        await first.value
        for (number, task) in others.enumerated() {
            #expect(await task.value == (number, "queued"))
        }
    }

    @Test("An actor may live on a thread of its own, which ends with the actor")
    func resident() async throws {
        actor Resident {
            let executor: ThreadExecutor
            var calls = 0
            nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

            init(_ executor: ThreadExecutor) { self.executor = executor }

            deinit { executor.retire() }

            func thread() -> pthread_t {
                calls += 1
                return pthread_self()
            }
        }
        let ended = Semaphore()
        do {
            let resident = Resident(try ThreadExecutor(name: "resident", whenEnded: { ended.post() }))
            let threads = await withTaskGroup(of: pthread_t.self) { group in
                for _ in 0..<100 { group.addTask { await resident.thread() } }
                return await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(threads.count == 1)
            #expect(await resident.calls == 100)
        }
        await onThread { ended.wait() }
    }
}
