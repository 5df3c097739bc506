import Synchronization

/// A continuation that several may resume; the first does.
final class Once<Value: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Value, Never>?>

    init(_ continuation: CheckedContinuation<Value, Never>) {
        self.continuation = Mutex(continuation)
    }

    func resume(returning value: Value) {
        continuation.withLock { held in
            held?.resume(returning: value)
            held = nil
        }
    }
}
