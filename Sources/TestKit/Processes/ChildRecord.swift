import Glibc
import Synchronization

/// What is known of a child process: filled by the thread that follows it, asked by tests.
final class ChildRecord: Sendable {
    private struct Waiter {
        let text: String
        let wake: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var process: Result<pid_t, any Error> = .failure(ChildFailure(description: "not started"))
        var lines: [String] = []
        var waiters: [Waiter] = []
        var ending: ChildProcess.Ending?
        var endings: [CheckedContinuation<ChildProcess.Ending, Never>] = []
    }

    /// Beyond it the oldest lines go.
    private static let lineLimit = 100_000

    private let state = Mutex(State())
    private let onLine: (@Sendable (String) -> Void)?

    init(onLine: (@Sendable (String) -> Void)?) {
        self.onLine = onLine
    }

    var process: Result<pid_t, any Error> { state.withLock(\.process) }
    var isRunning: Bool { state.withLock { $0.ending == nil } }
    var lines: [String] { state.withLock(\.lines) }

    /// Calls `body` unless the child has ended: a process that was waited for may have given its number to another.
    func whileRunning(_ body: () -> Void) {
        state.withLock { state in
            if state.ending == nil { body() }
        }
    }

    func ending() async -> ChildProcess.Ending {
        await withCheckedContinuation { wake in
            let known = state.withLock { state -> ChildProcess.Ending? in
                if state.ending == nil { state.endings.append(wake) }
                return state.ending
            }
            if let known { wake.resume(returning: known) }
        }
    }

    /// `false` when the child ended without such a line.
    func waitForLog(containing text: String) async -> Bool {
        await withCheckedContinuation { wake in
            let answer = state.withLock { state -> Bool? in
                if state.lines.contains(where: { $0.contains(text) }) { return true }
                if state.ending != nil { return false }
                state.waiters.append(Waiter(text: text, wake: wake))
                return nil
            }
            if let answer { wake.resume(returning: answer) }
        }
    }

    func started(_ process: Result<pid_t, any Error>) {
        state.withLock { $0.process = process }
    }

    func took(_ lines: [String]) {
        if let onLine { lines.forEach(onLine) }
        let woken = state.withLock { state in
            state.lines += lines
            state.lines.removeFirst(max(0, state.lines.count - Self.lineLimit))
            let woken = state.waiters.filter { waiter in lines.contains { $0.contains(waiter.text) } }
            state.waiters.removeAll { waiter in lines.contains { $0.contains(waiter.text) } }
            return woken
        }
        for waiter in woken { waiter.wake.resume(returning: true) }
    }

    func ended(_ ending: ChildProcess.Ending) {
        let (waiters, endings) = state.withLock { state in
            state.ending = ending
            defer {
                state.waiters = []
                state.endings = []
            }
            return (state.waiters, state.endings)
        }
        for waiter in waiters { waiter.wake.resume(returning: false) }
        for wake in endings { wake.resume(returning: ending) }
    }
}
