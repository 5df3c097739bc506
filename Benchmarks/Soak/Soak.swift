import BenchmarkKit
import Glibc
import TestKit

/// Long life under load: a real broker, 1,000 devices, a gateway, and a receiver in the cloud's place. After a third
/// of the time the broker restarts, after two thirds the receiver is down for a while. Prints a line a minute and a
/// verdict; ends with 1 where that is bad.
///
/// Usage: `soak [MINUTES [READINGS-PER-SECOND]]`
@main
struct Soak {
    let minutes: Int
    let rate: Int
    let broker: MosquittoBroker
    let tally = Tally(publishers: Fleet.publishers)
    let probe = Probe()

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let minutes = numbers.first ?? 30
        guard minutes >= 3 else {
            say("a soak takes 3 minutes at least, one for each third")
            exit(2)
        }
        let soak = Soak(
            minutes: minutes, rate: numbers.dropFirst().first ?? 1000,
            broker: try MosquittoBroker(options: Publishers.unlimited))
        exit(try await soak.run() ? 0 : 1)
    }

    private func run() async throws -> Bool {
        say(
            "\(minutes) minutes, \(rate) readings/s from \(Fleet.devices) devices; the broker restarts "
                + "after \(minutes / 3) minutes, the receiver is down for \(outageMinutes) after \(2 * minutes / 3)")
        try await broker.start()
        let receiver = HTTPReceiver(taker: { [tally] in tally.take($0) })
        let port = try await receiver.start()
        let gateway = try await RunningGateway { folder in
            RunningGateway.head(folder) + RunningGateway.mqtt(port: broker.port) + """
                [[upload]]
                name = "cloud"
                sink = "http"
                url = "http://127.0.0.1:\(port)/"
                required = true

                """
        }
        let tail = try ChildProcess(
            Files.sibling("covey"), ["tail", Probe.device, "--json", "--socket", gateway.socket],
            onLine: { [probe] in probe.heard($0) })
        let fleet = Fleet(port: broker.port, rate: rate, seconds: Double(minutes) * 60)
        let publishing = Task { try await fleet.run() }
        let probing = Task { try await probe.run(port: broker.port, until: fleet.end) }
        let samples = try await watch(gateway, receiver, began: fleet.end - Double(minutes) * 60)
        try await publishing.value
        try await probing.value
        let verdict = Verdict(
            samples: samples, status: try await rest(gateway, acknowledged: fleet.acknowledged + probe.acknowledged),
            fleet: fleet, tally: tally, receiver: receiver.snapshot())
        _ = await tail.terminate()
        await gateway.end()
        await receiver.stop()
        await broker.stop()
        return verdict.tell()
    }

    private var outageMinutes: Int { max(minutes / 10, 1) }

    /// A sample a minute, and the troubles between.
    private func watch(
        _ gateway: RunningGateway, _ receiver: HTTPReceiver, began: Double
    ) async throws -> [Sample] {
        var samples: [Sample] = []
        var meter = Meter(usage: try gateway.usage(), status: try gateway.status(), at: began)
        for minute in 1...minutes {
            switch minute - 1 {
            case minutes / 3:
                say("the broker restarts")
                await broker.stop()
                try await broker.start()
            case 2 * minutes / 3:
                say("the receiver answers 503")
                receiver.mode = .status(503)
            case 2 * minutes / 3 + outageMinutes:
                say("the receiver takes readings again")
                receiver.mode = .accept
            default: break
            }
            let left = began + Double(minute) * 60 - monotonicSeconds()
            if left > 0 { try await Task.sleep(for: .seconds(left)) }
            let sample = meter.sample(
                usage: try gateway.usage(), status: try gateway.status(), latencies: probe.takeLatencies(),
                at: monotonicSeconds())
            samples.append(sample)
            say("minute \(minute): \(sample.text)")
        }
        receiver.mode = .accept
        return samples
    }

    /// Waits until nothing waits and everything is uploaded, for so long that a back-off can end.
    private func rest(_ gateway: RunningGateway, acknowledged: Int) async throws -> Status {
        let deadline = monotonicSeconds() + 180
        while true {
            let status = try gateway.status()
            let isAtRest = status.ledger.waiting == 0 && status.ledger.pending == 0
            // What the broker has acknowledged it brings, sooner or later.
            if isAtRest && status.ledger.stored >= acknowledged || monotonicSeconds() > deadline { return status }
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
