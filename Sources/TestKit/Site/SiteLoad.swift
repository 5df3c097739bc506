import Model

/// What `publishers` sent, as the receiver should have it: publisher `p` sends 0, 1, 2 … to `load/p`.
package struct Load {
    package let publishers: [CountingPublisher]

    package init(site: Site, publishers count: Int) {
        publishers = (0..<count).map { CountingPublisher(port: site.broker.port, clientID: "load-\($0)") }
    }

    /// Every publisher sends `count` messages at `rate` a second; returns when the broker has acknowledged all.
    package func run(count: Int, rate: Double?) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, publisher) in publishers.enumerated() {
                group.addTask {
                    try await publisher.publish(count: count, rate: rate) { ("load/p\(index)", Array(String($0).utf8)) }
                }
            }
            try await group.waitForAll()
        }
    }

    package var acknowledged: Int { publishers.reduce(0) { $0 + $1.acknowledged } }

    /// Sequence numbers that the broker acknowledged and the receiver lacks, and those that it has more than once, by publisher.
    package func compare(with receiver: HTTPReceiver) -> (missing: Int, doubled: Int) {
        var seen: [String: [Int: Int]] = [:]
        for reading in receiver.readings() {
            if case .number(let number) = reading.value {
                seen[reading.device, default: [:]][Int(number), default: 0] += 1
            }
        }
        var missing = 0
        var doubled = 0
        for (index, publisher) in publishers.enumerated() {
            let got = seen["p\(index)"] ?? [:]
            missing += publisher.acknowledgedNumbers.filter { got[$0] == nil }.count
            doubled += got.values.filter { $0 > 1 }.count
        }
        return (missing, doubled)
    }
}
