import Environment
import Supervision
import SupervisionCore
import Synchronization

/// Keeps every event and lets a test wait for one, past or to come.
final class EventLog: Sendable {
    private struct State {
        var events: [SupervisionEvent] = []
        var waiters: [(isMeant: @Sendable (SupervisionEvent) -> Bool, wake: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    func record(_ event: SupervisionEvent) {
        let due = state.withLock { state in
            state.events.append(event)
            let due = state.waiters.filter { $0.isMeant(event) }.map(\.wake)
            state.waiters.removeAll { $0.isMeant(event) }
            return due
        }
        for wake in due { wake.resume() }
    }

    var events: [SupervisionEvent] { state.withLock { $0.events } }

    func first(_ isMeant: @escaping @Sendable (SupervisionEvent) -> Bool) async {
        await withCheckedContinuation { wake in
            let isThere = state.withLock { state in
                if state.events.contains(where: isMeant) { return true }
                state.waiters.append((isMeant, wake))
                return false
            }
            if isThere { wake.resume() }
        }
    }

    func started(_ child: String, _ attempt: Int = 1) async {
        await first { $0.child == child && $0.kind == .started(attempt: attempt) }
    }

    func quarantined(_ child: String) async {
        await first { event in
            if case .quarantined = event.kind { event.child == child } else { false }
        }
    }
}

/// Returns when the task is cancelled, as a well-behaved child does.
func untilCancelled() async throws {
    let mailbox = Mailbox<Int>(capacity: 1, overflow: .refuse)
    _ = try await mailbox.next(upTo: 1)
}

struct Broken: Error, CustomStringConvertible {
    var description: String { "broken" }
}

extension Backoff {
    /// Always one second.
    static let second = Backoff(initial: .seconds(1), maximum: .seconds(1), jitter: .none)
}

extension SupervisorPolicy {
    /// Wakes for nothing but its children, so that a test knows every sleeper.
    static func quiet(
        _ strategy: Strategy = .oneForOne, restarts: Int = 5, stopOrder: StopOrder = .reverse
    ) -> SupervisorPolicy {
        SupervisorPolicy(
            strategy: strategy, intensity: Intensity(restarts: restarts, period: .seconds(60)), stopOrder: stopOrder,
            progressInterval: .seconds(100_000))
    }
}
