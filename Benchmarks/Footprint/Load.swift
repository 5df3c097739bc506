import BenchmarkKit
import Glibc
import TestKit

/// 1,000 devices, one reading a second each, over a real broker; and 100. The broker's own figures are beside them.
struct Load {
    let seconds: Int

    private static let publishers = 4
    /// Until dictionaries have grown and every device has been met.
    private static let warmUp = 10

    private struct Figures {
        let usage: Usage
        let broker: Usage
        let readings: Int
        /// By the ring's own count.
        let ringBytes: Int
    }

    private struct Case {
        let name: String
        let rate: Int
        var uploads = false
        var publishes = false
    }

    private static let cases = [
        Case(name: "stored", rate: 1000),
        Case(name: "stored, uploaded over HTTP", rate: 1000, uploads: true),
        Case(name: "stored, uploaded, newest values published", rate: 1000, uploads: true, publishes: true),
        Case(name: "stored, uploaded over HTTP", rate: 100, uploads: true),
    ]

    func run() async throws {
        var report = Report(
            "load",
            columns: [
                "readings/s from as many devices", "CPU, % of one core", "RSS MiB", "of which private",
                "ring's bytes per reading", "the broker's CPU, %", "ratio",
            ])
        for item in Self.cases {
            let figures = try await measure(item)
            let part = { (cpu: Double) in cpu / Double(seconds) * 100 }
            report.add(
                "\(item.rate): \(item.name)", part(figures.usage.cpu).text(2),
                (Double(figures.usage.residentKiB) / 1024).text(1), (Double(figures.usage.privateKiB) / 1024).text(1),
                (Double(figures.ringBytes) / Double(figures.readings)).text(1), part(figures.broker.cpu).text(2),
                (figures.usage.cpu / max(figures.broker.cpu, 0.01)).text(2))
        }
        report.note(
            "\(seconds) s after \(Self.warmUp) s of warming up, one commit a second, payloads like `21.5`; the "
                + "publishers are another process. The zero-fill of a young ring is in the bytes written.")
        try report.publish()
    }

    private func measure(_ item: Case) async throws -> Figures {
        let broker = try MosquittoBroker(options: Publishers.unlimited)
        try await broker.start()
        let receiver = HTTPReceiver(taker: { $0.count })
        let port = try await receiver.start()
        let gateway = try await RunningGateway { folder in
            let upload = "[[upload]]\nname = \"cloud\"\nsink = \"http\"\nurl = \"http://127.0.0.1:\(port)/\"\n"
            return RunningGateway.head(folder) + RunningGateway.mqtt(port: broker.port, publish: item.publishes)
                + (item.uploads ? upload : "")
        }
        let total = (Self.warmUp + seconds + 2) * item.rate / Self.publishers
        let publishing = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<Self.publishers {
                    group.addTask {
                        let share = item.rate / Self.publishers
                        let publisher = CountingPublisher(port: broker.port, clientID: "load-\(index)")
                        try await publisher.publish(count: total, rate: Double(share)) { number in
                            (
                                "bench/p\(index)-\(number % share)/temp",
                                Array("\(15 + number / share % 97).\(number % 10)".utf8)
                            )
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        try await Task.sleep(for: .seconds(Self.warmUp))
        let (before, brokerBefore) = (try gateway.usage(), try Usage(of: broker.processID))
        let first = try gateway.status()
        try await Task.sleep(for: .seconds(seconds))
        let (after, brokerAfter) = (try gateway.usage(), try Usage(of: broker.processID))
        let last = try gateway.status()
        try await publishing.value
        await gateway.end()
        await receiver.stop()
        await broker.stop()
        return Figures(
            usage: after.since(before), broker: brokerAfter.since(brokerBefore),
            readings: last.ledger.stored - first.ledger.stored,
            ringBytes: last.ring.bytesWritten - first.ring.bytesWritten)
    }
}
