import Synchronization

/// Holds whoever comes until a test opens it; no cancellation ends that.
package final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// How many it holds now.
    package var waiting: Int { state.withLock(\.waiters.count) }

    package init() {}

    package func pass() async {
        await withCheckedContinuation { wake in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(wake) }
                return state.isOpen
            }
            if isOpen { wake.resume() }
        }
    }

    package func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
