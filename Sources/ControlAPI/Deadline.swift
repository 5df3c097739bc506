import Model
import NIOCore
import Synchronization

/// Asks the gateway, and answers for it where it does not: a stuck part of it must show as an error at the caller, not as a caller that
/// hangs with it. A call that is given up is cancelled and counted for as long as it hangs on.
final class CallGate: Sendable {
    private let limits: ControlLimits
    private let abandoned = Mutex(0)

    init(limits: ControlLimits) {
        self.limits = limits
    }

    /// The result of `body`, or `unavailable` after ``ControlLimits/answerTime``. Throws at once when cancelled.
    func ask<Answer: Sendable>(
        on loop: any EventLoop, _ body: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        guard abandoned.withLock({ $0 < limits.abandonedCalls }) else {
            throw ControlError(.unavailable, "\(limits.abandonedCalls) calls hang in the gateway already")
        }
        let outcome = OneShot<Answer>()
        let work = Task {
            let result: Result<Answer, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            if !outcome.finish(result) { self.abandoned.withLock { $0 -= 1 } }
        }
        let giveUp: @Sendable (any Error) -> Void = { error in
            // Counted before the outcome is set, so that the count never goes below zero.
            self.abandoned.withLock { $0 += 1 }
            if !outcome.finish(.failure(error)) { self.abandoned.withLock { $0 -= 1 } }
            work.cancel()
        }
        let message = "the gateway gave no answer within \(limits.answerTime.text)"
        let timer = loop.scheduleTask(in: TimeAmount(limits.answerTime)) {
            giveUp(ControlError(.unavailable, message, hint: "part of it is stuck; its log names which"))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await outcome.value()
        } onCancel: {
            giveUp(CancellationError())
        }
    }
}

/// A result that is set once and awaited once.
private final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case awaited(CheckedContinuation<Value, any Error>)
        case full(Result<Value, any Error>)
        case done
    }

    private let state = Mutex(State.empty)

    /// Whether this was the first result.
    func finish(_ result: Result<Value, any Error>) -> Bool {
        state.withLock { state in
            switch state {
            case .empty: state = .full(result)
            case .awaited(let continuation):
                state = .done
                continuation.resume(with: result)
            case .full, .done: return false
            }
            return true
        }
    }

    func value() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { state in
                if case .full(let result) = state {
                    state = .done
                    continuation.resume(with: result)
                } else {
                    state = .awaited(continuation)
                }
            }
        }
    }
}
