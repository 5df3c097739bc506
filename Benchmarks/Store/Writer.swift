import Environment
import RingLog
import Synchronization
import TestKit
import Threads

/// Performs the commits of a ring on a thread of its own, one at a time, as the daemon does: the next one is made ready
/// meanwhile.
final class Writer: Sendable {
    private struct State {
        var plan: WritePlan?
        var result: Result<Void, DiskError>?
    }

    private let state = Mutex(State())
    private let ordered = Semaphore()
    private let done = Semaphore()

    init(disk: any Disk) {
        startThread { [self] in
            while true {
                ordered.wait()
                guard let plan = state.withLock({ $0.plan }) else { return }
                let result = plan.perform(on: disk)
                state.withLock { $0.result = result }
                done.post()
            }
        }
    }

    /// The one before has been waited for.
    func begin(_ plan: WritePlan) {
        state.withLock { $0.plan = plan }
        ordered.post()
    }

    /// Returns when the commit is durable, or has failed; `nil` where none is under way.
    func wait() -> (plan: UInt64, result: Result<Void, DiskError>)? {
        guard let plan = state.withLock({ $0.plan }) else { return nil }
        done.wait()
        return state.withLock { state in
            defer { state = State() }
            return state.result.map { (plan.id, $0) }
        }
    }

    /// Ends the thread. Nothing is under way.
    func end() { ordered.post() }
}
