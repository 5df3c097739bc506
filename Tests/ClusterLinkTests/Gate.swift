import Synchronization

/// Holds whoever comes until it is opened.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var waiting: Int { state.withLock(\.waiters.count) }

    func pass() async {
        await withCheckedContinuation { wake in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(wake) }
                return state.isOpen
            }
            if isOpen { wake.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
