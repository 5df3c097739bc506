import CCovey
package import Glibc
import Synchronization

/// Why a program could not be started, or ended when it should not.
package struct ChildFailure: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}

/// A program of its own, whose output is followed line by line, so that a test can wait for what it says and for its end.
package final class ChildProcess: Sendable {
    /// How a process ended.
    package enum Ending: Hashable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    private struct Waiter {
        let text: String
        let wake: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var lines: [String] = []
        var waiters: [Waiter] = []
        var ending: Ending?
        var endings: [CheckedContinuation<Ending, Never>] = []
    }

    /// Beyond it the oldest lines go.
    private static let lineLimit = 100_000

    package let processID: pid_t
    private let state = Mutex(State())
    private let onLine: (@Sendable (String) -> Void)?

    /// Starts `program` with `arguments`; its standard output and error are one log. `onLine` is told of each line as it comes.
    package init(_ program: String, _ arguments: [String], onLine: (@Sendable (String) -> Void)? = nil) throws {
        self.onLine = onLine
        var pipes: [Int32] = [-1, -1]
        // Closed in other children from the beginning, or they would keep this log open.
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pipes) == 0 else { throw Self.failure("socketpair") }
        defer { _ = close(pipes[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 2)
        // Sockets of other tests must not live on in this child.
        _ = covey_spawn_close_from(&actions, 3)
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        // A group of its own: Ctrl-C is for the one who started it, who then ends it in order.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The pool's threads block signals, and a child would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var process: pid_t = 0
        let result = posix_spawn(&process, program, &actions, &attributes, &words, environ)
        guard result == 0 else {
            _ = close(pipes[0])
            throw Self.failure(program, result)
        }
        processID = process
        follow(output: pipes[0])
    }

    deinit {
        if state.withLock({ $0.ending == nil }) { _ = Glibc.kill(processID, SIGKILL) }
    }

    package func send(_ signal: Int32) {
        state.withLock { state in
            // A process that was waited for may have given its number to another.
            if state.ending == nil { _ = Glibc.kill(processID, signal) }
        }
    }

    /// Ends it as a crash would, and returns when it is gone.
    package func kill() async {
        send(SIGKILL)
        _ = await ending()
    }

    /// Asks it to end, and returns how it did.
    package func terminate() async -> Ending {
        send(SIGTERM)
        return await ending()
    }

    /// How it ended; returns when it has.
    package func ending() async -> Ending {
        await withCheckedContinuation { wake in
            let known = state.withLock { state -> Ending? in
                if state.ending == nil { state.endings.append(wake) }
                return state.ending
            }
            if let known { wake.resume(returning: known) }
        }
    }

    /// Returns `true` when a line of its log holds `text`, and `false` when it ended without.
    @discardableResult
    package func waitForLog(containing text: String) async -> Bool {
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

    /// The lines of its log so far.
    package var log: [String] { state.withLock(\.lines) }

    /// Reads its log until it ends, on a thread of its own, and then reaps it. Keeps the object alive only while a line is taken.
    private func follow(output: Int32) {
        let process = processID
        runOnThread { [weak self] in
            var rest: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(output, &buffer, buffer.count)
                guard count > 0 else { break }
                rest += buffer[..<count]
                var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                rest = Array(lines.removeLast())
                self?.took(lines.map { String(decoding: $0, as: UTF8.self) })
            }
            _ = close(output)
            var status: Int32 = 0
            _ = waitpid(process, &status, 0)
            let signal = status & 0x7F
            self?.ended(signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal))
        }
    }

    private func took(_ lines: [String]) {
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

    private func ended(_ ending: Ending) {
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

    private static func failure(_ what: String, _ code: Int32 = errno) -> ChildFailure {
        ChildFailure(description: "\(what): \(String(cString: strerror(code)))")
    }
}
