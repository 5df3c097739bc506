import Synchronization

/// One thread that runs the tasks which prefer it, one job at a time, so that a job which blocks its thread blocks
/// nobody else.
///
/// The thread ends once the executor is retired and has no job left. A thread that is stuck in a job cannot be ended
/// from outside: it is leaked until the job returns. A job that comes after the thread has ended runs on the shared
/// pool; so an actor that lives here retires its executor at its own end (`deinit`), when nobody can call it any more.
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

    private let queue = Mutex(Queue())
    /// Counts jobs and the retirement; the thread sleeps on it.
    private let signal = Semaphore()
    private let whenEnded: (@Sendable () -> Void)?

    /// Starts the thread. `name` is shown by the system's tools, cut to 15 bytes. `whenEnded` is the last thing the
    /// thread does.
    package init(name: String, whenEnded: (@Sendable () -> Void)? = nil) throws(ThreadError) {
        self.whenEnded = whenEnded
        try Thread.start(name) { self.runJobs() }
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

    private func runJobs() {
        loop: while true {
            signal.wait()
            switch next() {
            case .job(let job):
                job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
            case .nothing: continue
            case .end: break loop
            }
        }
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
}
