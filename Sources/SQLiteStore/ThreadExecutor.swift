#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs an actor on one thread of its own, as its work blocks: SQLite waits for the disk, and the cooperative pool must not.
///
/// The queue has no limit of its own: it holds one job for each caller that waits, and callers are bounded where they are made.
final class ThreadExecutor: SerialExecutor {
    private let queue = JobQueue()

    /// `nil` where the system gives no thread.
    init?() {
        let start = Unmanaged.passRetained(Start(queue: queue, executor: asUnownedSerialExecutor()))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                while let job = start.queue.next() { job.runSynchronously(on: start.executor) }
                return nil
            }, start.toOpaque())
        guard status == 0 else {
            start.release()
            return nil
        }
        pthread_detach(thread)
    }

    deinit {
        queue.stop()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        queue.append(UnownedJob(job))
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}

/// What the thread needs. It does not hold the executor, so that the executor's end is the thread's end; while there is a job, its actor
/// holds the executor.
private final class Start: Sendable {
    let queue: JobQueue
    let executor: UnownedSerialExecutor

    init(queue: JobQueue, executor: UnownedSerialExecutor) {
        self.queue = queue
        self.executor = executor
    }
}

/// Jobs in their order. Everything is guarded by the lock, which is why sharing it is safe.
private final class JobQueue: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let hasNews = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var incoming: [UnownedJob] = []
    private var isStopped = false
    /// Touched by the thread alone: jobs taken over together, the next one last.
    private var taken: [UnownedJob] = []

    init() {
        pthread_mutex_init(lock, nil)
        pthread_cond_init(hasNews, nil)
    }

    deinit {
        pthread_cond_destroy(hasNews)
        pthread_mutex_destroy(lock)
        hasNews.deallocate()
        lock.deallocate()
    }

    func append(_ job: UnownedJob) {
        pthread_mutex_lock(lock)
        incoming.append(job)
        pthread_cond_signal(hasNews)
        pthread_mutex_unlock(lock)
    }

    func stop() {
        pthread_mutex_lock(lock)
        isStopped = true
        pthread_cond_signal(hasNews)
        pthread_mutex_unlock(lock)
    }

    /// Waits for a job; `nil` when stopped and nothing is left.
    func next() -> UnownedJob? {
        if let job = taken.popLast() { return job }
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while incoming.isEmpty {
            if isStopped { return nil }
            pthread_cond_wait(hasNews, lock)
        }
        taken = incoming.reversed()
        incoming.removeAll(keepingCapacity: true)
        return taken.popLast()
    }
}
