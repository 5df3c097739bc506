import TestKit

/// Several publishers of QoS 1, whose messages are `bench/pN/temp` with payloads like `21.5`.
package struct Publishers: Sendable {
    package let port: Int
    package let count: Int

    package init(port: Int, count: Int) {
        self.port = port
        self.count = count
    }

    /// A broker that never holds back what a client can take, so that the client is what is measured.
    package static let unlimited = ["max_inflight_messages 2000", "max_queued_messages 0"]

    /// Publishes `messages` as fast as the broker takes them; returns when it has acknowledged all.
    package func publish(_ messages: Int) async throws {
        let share = messages / count
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<count {
                group.addTask { [port] in
                    let publisher = CountingPublisher(port: port, clientID: "bench-\(index)", inFlight: 1000)
                    try await publisher.publish(count: share) { number in
                        ("bench/p\(index)/temp", Array("\(number % 400).5".utf8))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
