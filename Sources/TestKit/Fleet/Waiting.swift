/// Why a test did not get what it waited for.
package struct Late: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// Returns when `condition` holds, which is asked every `pause`; throws where that takes too long.
package func until(
    _ what: String, within limit: Duration = .seconds(90), every pause: Duration = .milliseconds(20),
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now.advanced(by: limit)
    while try await !condition() {
        guard ContinuousClock.now < end else { throw Late(description: "waited too long until \(what)") }
        try await Task.sleep(for: pause)
    }
}

/// Returns when `body` has; throws where that takes too long.
package func within(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async -> Void
) async throws {
    let (ends, end) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingOldest(1))
    Task {
        await body()
        end.yield(true)
    }
    let deadline = Task {
        try await Task.sleep(for: limit)
        end.yield(false)
    }
    defer { deadline.cancel() }
    for await isDone in ends.prefix(1) where !isDone { throw Late(description: "waited too long until \(what)") }
}
