import Devices
import Dispatch
import Environment
import GPIODriver
import Model
import Posix
import Synchronization
import Threads

/// A driver on a thread of its own, and what it has said so far.
final class RunningDriver: Sendable {
    static let clock = SystemClock(trust: .always)
    /// Far longer than anything here takes; only a failing test waits for it.
    private static let patience = Duration.seconds(5)

    let driver: GPIODriver
    private let task: Task<Void, any Error>
    private let inbox: Inbox

    /// - Parameter gate: called on the driver's thread before samples are taken from it; may block.
    convenience init(_ settings: GPIOSettings, gate: @escaping @Sendable () -> Void = {}) {
        self.init(GPIODriver(settings), gate: gate)
    }

    init(_ driver: GPIODriver, gate: @escaping @Sendable () -> Void = {}) {
        self.driver = driver
        let inbox = Inbox()
        self.inbox = inbox
        let port = DriverPort(
            clock: Self.clock,
            emit: {
                gate()
                inbox.put($0)
            }, heartbeat: { inbox.beat() })
        let thread = Self.thread()
        task = Task(executorPreference: thread) {
            defer {
                inbox.close()
                thread.retire()
            }
            try await driver.run(port)
        }
        Workbench.add(self)
    }

    /// The kind of thread that the gateway gives to a driver.
    private static func thread() -> ThreadExecutor {
        do {
            return try ThreadExecutor(name: "driver")
        } catch {
            preconditionFailure("\(error)")
        }
    }

    /// How often the driver said that it lives.
    var heartbeats: Int { inbox.beats }

    /// The next sample; throws the driver's own error where it ended instead.
    func next() async throws -> Sample {
        if let sample = await inbox.next(within: Self.patience) { return sample }
        guard inbox.isClosed else { throw LabTimeout() }
        try await task.value
        throw CancellationError()
    }

    /// Samples up to the first that `isLast` accepts, with it.
    func next(until isLast: (Sample) -> Bool) async throws -> [Sample] {
        var samples: [Sample] = []
        repeat { samples.append(try await next()) } while !isLast(samples[samples.count - 1])
        return samples
    }

    /// Cancels the driver and waits for its end; returns what it said last.
    func stop() async throws -> [Sample] {
        task.cancel()
        try await task.value
        return inbox.takeAll()
    }

    /// Cancels the driver and waits for its end, however it ends.
    func end() async {
        task.cancel()
        _ = await task.result
    }

    /// Waits until the driver fails.
    func failure() async -> (any Error)? {
        while await inbox.next(within: Self.patience) != nil {}
        guard inbox.isClosed else { return LabTimeout() }
        do {
            try await task.value
            return nil
        } catch {
            return error
        }
    }
}

struct LabTimeout: Error {}

/// Keeps samples until the test asks for them.
private final class Inbox: Sendable {
    private struct State {
        var samples: [Sample] = []
        var waiter: CheckedContinuation<Sample?, Never>?
        var waits = 0
        var isClosed = false
        var beats = 0
    }

    private let state = Mutex(State())

    var isClosed: Bool { state.withLock(\.isClosed) }
    var beats: Int { state.withLock(\.beats) }

    func beat() { state.withLock { $0.beats += 1 } }

    func put(_ samples: [Sample]) {
        state.withLock { state in
            state.samples += samples
            guard !state.samples.isEmpty, let waiter = state.waiter else { return }
            state.waiter = nil
            waiter.resume(returning: state.samples.removeFirst())
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            state.waiter?.resume(returning: nil)
            state.waiter = nil
        }
    }

    func takeAll() -> [Sample] {
        state.withLock { state in
            defer { state.samples = [] }
            return state.samples
        }
    }

    func next(within patience: Duration) async -> Sample? {
        await withCheckedContinuation { continuation in
            let wait: Int? = state.withLock { state in
                if !state.samples.isEmpty {
                    continuation.resume(returning: state.samples.removeFirst())
                    return nil
                }
                if state.isClosed {
                    continuation.resume(returning: nil)
                    return nil
                }
                state.waiter = continuation
                state.waits += 1
                return state.waits
            }
            guard let wait else { return }
            DispatchQueue.global().asyncAfter(deadline: .now() + patience.inSeconds) { self.giveUp(wait) }
        }
    }

    private func giveUp(_ wait: Int) {
        state.withLock { state in
            guard state.waits == wait else { return }
            state.waiter?.resume(returning: nil)
            state.waiter = nil
        }
    }
}
