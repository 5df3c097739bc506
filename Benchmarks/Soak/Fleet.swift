import BenchmarkKit
import Synchronization
import TestKit

/// The devices: a few publishers, each of which speaks for many. What is not acknowledged when a connection breaks is
/// not sent again, so that each acknowledged message has exactly one reading to show for it.
final class Fleet: Sendable {
    static let publishers = 4
    static let devices = 1000

    /// On the monotonic clock.
    let end: Double
    private let rate: Double
    private let clients: [CountingPublisher]

    init(port: Int, rate: Int, seconds: Double) {
        end = monotonicSeconds() + seconds
        self.rate = Double(rate) / Double(Self.publishers)
        clients = (0..<Self.publishers).map {
            CountingPublisher(port: port, clientID: "soak-\($0)", inFlight: max(rate, 1000))
        }
    }

    var acknowledged: Int { clients.reduce(0) { $0 + $1.acknowledged } }

    /// Numbers of the messages of one publisher that the broker has acknowledged.
    func acknowledgedNumbers(of publisher: Int) -> [Int] { clients[publisher].acknowledgedNumbers }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in clients.indices {
                group.addTask { [self] in
                    let share = Self.devices / Self.publishers
                    try await keepPublishing(clients[index], rate: rate, until: end) { number in
                        ("bench/p\(index)-\(number % share)/temp", Array("\(number)".utf8))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

/// Publishes at that rate until that moment, whatever the broker does meanwhile.
func keepPublishing(
    _ client: CountingPublisher, rate: Double, until end: Double, message: @escaping CountingPublisher.Maker
) async throws {
    while case let left = end - monotonicSeconds(), left * rate >= 1 {
        do {
            try await client.publish(count: Int(left * rate), rate: rate, message: message)
        } catch is MosquittoFailure {
            // The broker is away.
            try await Task.sleep(for: .milliseconds(300))
        }
    }
}

/// One device more, whose readings say when they were sent: the way to durability, as `covey tail` shows it, takes
/// the rest.
final class Probe: Sendable {
    static let device = "probe"
    private static let rate = 10.0

    private let latencies = Mutex<[Double]>([])
    private let client = Mutex<CountingPublisher?>(nil)

    var acknowledged: Int { client.withLock { $0?.acknowledged ?? 0 } }

    func run(port: Int, until end: Double) async throws {
        let publisher = CountingPublisher(port: port, clientID: "soak-probe")
        client.withLock { $0 = publisher }
        try await keepPublishing(publisher, rate: Self.rate, until: end) { _ in
            ("bench/\(Self.device)/temp", Array("\(monotonicSeconds())".utf8))
        }
    }

    /// One line of `covey tail --json`.
    func heard(_ line: String) {
        guard let value = line.split(separator: "\"value\":").last?.prefix(while: { "0123456789.eE+-".contains($0) }),
            let sent = Double(value)
        else { return }
        let latency = monotonicSeconds() - sent
        latencies.withLock { $0.append(latency) }
    }

    /// In seconds, of the readings since the last call.
    func takeLatencies() -> [Double] {
        latencies.withLock { latencies in
            defer { latencies = [] }
            return latencies
        }
    }
}
