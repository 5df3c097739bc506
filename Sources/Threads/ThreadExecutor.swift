import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The system gave no thread.
package struct ThreadError: Error, Hashable, CustomStringConvertible {
    /// The system's error number.
    package let code: Int32

    package var description: String { "no thread: error \(code)" }
}

/// One thread that runs the tasks which prefer it, one job at a time, so that a job which blocks its thread blocks nobody else.
///
/// The thread ends once the executor is retired and has no job left. A thread that is stuck in a job cannot be ended from outside: it
/// is leaked until the job returns. A job that comes after the thread has ended runs on the shared pool.
package final class ThreadExecutor: TaskExecutor, SerialExecutor {
    private struct Queue {
        var jobs = RingBuffer<UnownedJob>()
        var isRetired = false
        var hasEnded = false
    }

    private enum Next {
        case job(UnownedJob)
        case nothing
        case end
    }

    /// Enough for a driver with deep parsing; the system's default of 8 MiB would cost address space on small boards, and musl's
    /// 128 KiB is too small.
    package static let stackBytes = 1 << 20
    /// Longer names are refused by the kernel.
    private static let nameBytes = 15
    private static let threads = Atomic<Int>(0)

    /// Threads of all executors in this process that have not ended.
    package static var threadsAlive: Int { threads.load(ordering: .relaxed) }

    private let queue = Mutex(Queue())
    /// Counts jobs and the retirement; the thread sleeps on it.
    private let signal = Semaphore()
    private let whenEnded: (@Sendable () -> Void)?

    /// Starts the thread. `name` is shown by the system's tools, cut to 15 bytes. `whenEnded` is the last thing the thread does.
    package init(name: String, whenEnded: (@Sendable () -> Void)? = nil) throws(ThreadError) {
        self.whenEnded = whenEnded
        try start(name)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isTaken = queue.withLock { queue in
            if queue.hasEnded { return false }
            queue.jobs.append(job)
            return true
        }
        if isTaken { signal.post() } else { globalConcurrentExecutor.enqueue(job) }
    }

    /// Lets the thread end as soon as it has no job left. May be called from its own jobs.
    package func retire() {
        queue.withLock { $0.isRetired = true }
        signal.post()
    }

    private func start(_ name: String) throws(ThreadError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, Self.stackBytes)
        let start = Unmanaged.passRetained(Start(executor: self, name: Self.shortened(name)))
        var thread = pthread_t()
        Self.threads.add(1, ordering: .relaxed)
        let code = pthread_create(&thread, &attributes, threadBody, start.toOpaque())
        if code != 0 {
            Self.threads.subtract(1, ordering: .relaxed)
            start.release()
            throw ThreadError(code: code)
        }
    }

    fileprivate func runJobs() {
        loop: while true {
            signal.wait()
            switch next() {
            case .job(let job):
                job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
            case .nothing: continue
            case .end: break loop
            }
        }
        Self.threads.subtract(1, ordering: .relaxed)
        whenEnded?()
    }

    private func next() -> Next {
        queue.withLock { queue in
            if let job = queue.jobs.popFirst() { return .job(job) }
            if queue.isRetired {
                queue.hasEnded = true
                return .end
            }
            return .nothing
        }
    }

    /// The beginning of `name`, cut between characters.
    private static func shortened(_ name: String) -> String {
        var short = name
        while short.utf8.count > nameBytes { short.removeLast() }
        return short
    }
}

private final class Start: Sendable {
    let executor: ThreadExecutor
    let name: String

    init(executor: ThreadExecutor, name: String) {
        self.executor = executor
        self.name = name
    }
}

private func threadBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    nameThisThread(start.name)
    start.executor.runJobs()
    return nil
}

/// Through the kernel's file, because the C call for it is hidden from Swift. Where there is no `/proc`, the thread keeps the process'
/// name: it is for people only.
private func nameThisThread(_ name: String) {
    guard let file = fopen("/proc/thread-self/comm", "w") else { return }
    fputs(name, file)
    fclose(file)
}

/// A counting semaphore of the C library.
private final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func post() {
        sem_post(semaphore)
    }

    /// A signal handler may interrupt the wait: then it goes on.
    func wait() {
        while sem_wait(semaphore) != 0 {}
    }
}
