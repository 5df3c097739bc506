import Environment
import Glibc
import Model
import Synchronization
import Threads

/// Now, on the kernel's monotonic clock: poll's own.
func monotonicNow() -> MonotonicInstant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return MonotonicInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
}

/// One OS thread that an asynchronous caller waits for. libmosquitto's calls block (name resolution above all), and a thread of
/// the cooperative pool must not.
final class LinkThread: Sendable {
    private struct State {
        var isStopping = false
        /// In a call that cannot be interrupted: a stop does not wait for it.
        var isBlocked = false
        var result: Result<Void, any Error>?
        var waiter: CheckedContinuation<Void, any Error>?
    }

    /// The readiness of the two things that a link waits for.
    struct Readiness {
        var isReadable = false
        var isWritable = false
        /// The connection is gone, whatever was asked for.
        var isBroken = false
    }

    let wakeup: Wakeup
    private let state = Mutex(State())
    private let heartbeat: @Sendable () -> Void
    private let lastBeat = Atomic<Int64>(0)
    /// A supervisor's deadlines are seconds.
    private static let beatInterval = Duration.milliseconds(100)

    private init(heartbeat: @escaping @Sendable () -> Void) throws(LinkFailure) {
        do {
            wakeup = try Wakeup()
        } catch {
            throw LinkFailure.system(error.code)
        }
        self.heartbeat = heartbeat
    }

    /// Runs `body` on a thread of its own until it returns. When the task is cancelled, `body` sees ``isStopping`` and must return within a
    /// second; where it is stuck in a call of the system's, the thread is left to itself, which `body` must bear.
    static func run(
        name: String, heartbeat: @escaping @Sendable () -> Void, body: @escaping @Sendable (LinkThread) throws -> Void
    ) async throws {
        let thread = try LinkThread(heartbeat: heartbeat)
        try await withTaskCancellationHandler {
            do throws(ThreadError) {
                try Thread.start(name) { thread.finish(Result { try body(thread) }) }
            } catch {
                throw LinkFailure.system(error.code)
            }
            try await withCheckedThrowingContinuation { waiter in
                let result = thread.state.withLock { state in
                    if state.result == nil { state.waiter = waiter }
                    return state.result
                }
                if let result { waiter.resume(with: result) }
            }
        } onCancel: {
            thread.stop()
        }
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Shows that the thread is alive; cheap enough for every turn of a loop.
    func beat() {
        let now = monotonicNow().nanoseconds
        guard now - lastBeat.load(ordering: .relaxed) >= Self.beatInterval.nanoseconds else { return }
        lastBeat.store(now, ordering: .relaxed)
        heartbeat()
    }

    /// Runs a call that may hang for long. A stop in the meantime does not wait for its end.
    func blocking<Value>(_ call: () -> Value) -> Value {
        let isStopped = state.withLock { state in
            state.isBlocked = true
            return state.isStopping
        }
        if isStopped { finish(.success(())) }
        defer { state.withLock { $0.isBlocked = false } }
        return call()
    }

    /// Waits until `socket` (-1: none) is ready, the thread is woken, or the time has come; at most a second, so that the
    /// caller can show that it is alive.
    func wait(
        socket: Int32, read: Bool, write: Bool, until deadline: MonotonicInstant
    ) -> Readiness {
        // Whole milliseconds, rounded up: never awake before the time.
        let left = min(max(monotonicNow().duration(to: deadline).nanoseconds, 0), 1_000_000_000)
        let timeout = Int32((left + 999_999) / 1_000_000)
        let events = Int16(read ? POLLIN : 0) | Int16(write ? POLLOUT : 0)
        // A negative descriptor is passed over by the kernel.
        var polled = (
            pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: events, revents: 0)
        )
        let ready = withUnsafeMutableBytes(of: &polled) {
            poll($0.bindMemory(to: pollfd.self).baseAddress!, 2, timeout)
        }
        guard ready > 0 else { return Readiness() }
        if polled.0.revents != 0 { wakeup.clear() }
        let seen = Int32(polled.1.revents)
        return Readiness(
            isReadable: seen & POLLIN != 0, isWritable: seen & POLLOUT != 0,
            isBroken: seen & (POLLERR | POLLHUP | POLLNVAL) != 0)
    }

    /// Waits until the time has come or a stop.
    func pause(until end: MonotonicInstant) {
        while !isStopping, monotonicNow() < end {
            beat()
            _ = wait(socket: -1, read: false, write: false, until: end)
        }
    }

    private func stop() {
        let isBlocked = state.withLock { state in
            state.isStopping = true
            return state.isBlocked
        }
        wakeup.signal()
        if isBlocked { finish(.success(())) }
    }

    private func finish(_ result: Result<Void, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard state.result == nil else { return nil }
            state.result = result
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(with: result)
    }
}
