import Threads

/// Runs work that blocks on a thread of its own, and returns when it is done: what is under test needs the threads of
/// the pool.
package func onThread<Value: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Value
) async throws(Failure) -> Value {
    let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Value, Failure>, Never>) in
        startThread { done.resume(returning: Result(catching: body)) }
    }
    return try result.get()
}

/// Runs work that blocks on a thread of its own. A test can do nothing without one: it traps where the system has none
/// left.
package func startThread(_ body: @escaping @Sendable () -> Void) {
    do {
        try Thread.start("test", body)
    } catch {
        preconditionFailure("\(error)")
    }
}
