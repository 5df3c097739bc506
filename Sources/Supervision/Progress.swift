import Environment
import SupervisionCore
import Synchronization

/// When a supervisor and those below it last moved; read from any thread.
final class Progress: Sendable {
    private struct State {
        var last: MonotonicInstant
        var below: [(instance: InstanceID, progress: Progress)] = []
    }

    private let state: Mutex<State>

    init(_ now: MonotonicInstant) {
        state = Mutex(State(last: now))
    }

    /// The earliest of the last movements in the tree.
    var oldest: MonotonicInstant {
        let (last, below) = state.withLock { ($0.last, $0.below) }
        return below.reduce(last) { min($0, $1.progress.oldest) }
    }

    func moved(at now: MonotonicInstant) {
        state.withLock { $0.last = now }
    }

    func watch(_ progress: Progress, as instance: InstanceID) {
        state.withLock { $0.below.append((instance, progress)) }
    }

    func ignore(_ instance: InstanceID) {
        state.withLock { $0.below.removeAll { $0.instance == instance } }
    }
}
