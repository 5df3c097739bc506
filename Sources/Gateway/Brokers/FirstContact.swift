import Environment
import Synchronization

/// Whether the brokers have taken our subscriptions for the first time. A broker that meets a new gateway keeps nothing for it before, so
/// whoever waits until the gateway answers, and publishes then, must find it listening.
final class FirstContact: Sendable {
    /// A broker that is away must not keep the gateway from answering.
    private static let patience = Duration.seconds(2)

    private struct State {
        var missing: Set<String>
        var waiting: [Once<Void>] = []
    }

    private let state: Mutex<State>

    /// - Parameter filters: What is subscribed to, each with its broker's name before it.
    init(filters: Set<String>) {
        state = Mutex(State(missing: filters))
    }

    /// The broker has answered to this subscription, with yes or no.
    func answered(_ filter: String) {
        let woken = state.withLock { state in
            state.missing.remove(filter)
            guard state.missing.isEmpty else { return [Once<Void>]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for wake in woken { wake.resume(returning: ()) }
    }

    /// Returns when every broker has answered, and after a while in any case.
    func wait(clock: any Environment.Clock) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let once = Once(continuation)
            let isDone = state.withLock { state in
                if !state.missing.isEmpty { state.waiting.append(once) }
                return state.missing.isEmpty
            }
            if isDone { return once.resume(returning: ()) }
            Task {
                try? await clock.sleep(for: Self.patience)
                once.resume(returning: ())
            }
        }
    }
}
