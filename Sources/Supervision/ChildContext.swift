package import Environment
import Synchronization

/// What a run of a child knows of itself. All of it may be used from any thread.
package final class ChildContext: Sendable {
    /// Names from the root supervisor down to this child.
    package let path: [String]
    /// Counts the child's runs under this supervisor from 1.
    package let attempt: Int
    /// The one that started this run: for children that add siblings.
    package let supervisor: Supervisor
    package let clock: any Clock
    private let beat: Atomic<Int64>
    private let cancelled = Atomic(false)

    init(path: [String], attempt: Int, supervisor: Supervisor, clock: any Clock) {
        self.path = path
        self.attempt = attempt
        self.supervisor = supervisor
        self.clock = clock
        beat = Atomic(clock.now.nanoseconds)
    }

    package var id: String { path[path.count - 1] }

    /// Says that the child is alive: reads the clock and stores it, without a lock. Of no effect where the child has no heartbeat.
    package func heartbeat() {
        beat.store(clock.now.nanoseconds, ordering: .relaxed)
    }

    /// Whether the run has been asked to end. For threads that are not the child's task; there `Task.isCancelled` says the same.
    package var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    var lastBeat: MonotonicInstant { MonotonicInstant(nanoseconds: beat.load(ordering: .relaxed)) }

    func cancel() {
        cancelled.store(true, ordering: .releasing)
    }
}
