import BenchmarkKit
import Glibc
import Synchronization
import TestKit

/// How long it takes from publishing a reading until it is on as many disks as asked for.
struct Durable: Sendable {
    private static let gateways = 3
    private static let windows = ["sync", "100 ms", "1 s"]
    private static let rates = [1, 10, 100]
    /// Of bare syncs before each setting, so that they meet the same troubles.
    private static let bareSyncs = 100

    /// Of each rate.
    let seconds: Int

    /// When each message was published and acknowledged, in seconds of the monotonic clock.
    private final class Times: Sendable {
        private struct State {
            var published: [Int: Double] = [:]
            var broker: [Double] = []
            var gateway: [Double] = []
        }

        private let state = Mutex(State())

        func published(_ number: Int) { state.withLock { $0.published[number] = monotonicSeconds() } }

        func brokerAcknowledged(_ number: Int) {
            let now = monotonicSeconds()
            state.withLock { state in
                if let published = state.published[number] { state.broker.append(now - published) }
            }
        }

        func gatewayAcknowledged(_ number: Int, at now: Double) {
            state.withLock { state in
                if let published = state.published[number] { state.gateway.append(now - published) }
            }
        }

        var count: Int { state.withLock { $0.gateway.count } }

        /// What was measured since the last call, in seconds.
        func take() -> (broker: Spread, gateway: Spread) {
            state.withLock { state in
                defer { (state.broker, state.gateway) = ([], []) }
                return (Spread(state.broker), Spread(state.gateway))
            }
        }
    }

    func run() async throws {
        var report = Report(
            "covey-durable",
            columns: [
                "commit window", "disks (`acks`)", "readings/s", "p50, ms", "p99, ms", "the broker's own p50, p99",
            ])
        var bare: [Double] = []
        var single: Spread?
        for window in Self.windows {
            for acks in 1...Self.gateways {
                bare += try Self.bareSync()
                for (rate, times) in try await measure(window, acks) {
                    report.add(
                        window, "\(acks)", "\(rate)", times.gateway.median.milliseconds,
                        times.gateway.quantile(0.99).milliseconds,
                        "\(times.broker.median.milliseconds), \(times.broker.quantile(0.99).milliseconds)")
                    if window == "sync", acks == 1, rate == 10 { single = times.gateway }
                }
                say("window \(window), \(acks) disks: done")
            }
        }
        let sync = Spread(bare)
        report.note(
            "From publishing to the gateway's PUBACK, which the broker gets when the reading is on so many disks. \(seconds) s at "
                + "each rate, so p99 at 1 reading/s is the slowest of \(seconds). The broker's own PUBACK to the publisher says that "
                + "nothing is on any disk. Bare: 4 KiB overwritten and synced on the same \(CoveyBenchmark.fileSystem) takes "
                + "\(sync.median.milliseconds) ms, p99 \(sync.quantile(0.99).milliseconds) ms (\(bare.count) of them).")
        if let single {
            report.note(
                "At 10 readings/s, `sync` and one disk, covey takes "
                    + "\((single.median / sync.median).text(1)) times a bare sync.")
        }
        try report.publish()
    }

    private func measure(
        _ window: String, _ acks: Int
    ) async throws -> [(rate: Int, times: (broker: Spread, gateway: Spread))] {
        let network = try await LabNetwork(Self.gateways)
        let fleet = try await Fleet(
            Self.gateways, acks: acks, window: window, network: network, under: CoveyBenchmark.disk)
        let times = Times()
        let member = fleet.members[0]
        let tap = try await AckTap(in: network, at: 0, to: member.brokerSocket) { number, now in
            times.gatewayAcknowledged(number, at: now)
        }
        let text = try Files.read(member.configuration)
        let address = "mqtt://127.0.0.1:"
        guard let place = text.firstRange(of: "\(address)\(member.broker.port)") else {
            throw ChildFailure(description: "\(member.configuration) names no broker")
        }
        let tapped = "\(text[..<place.lowerBound])\(address)\(tap.port)\(text[place.upperBound...])"
        try Files.write(tapped, to: member.configuration)
        try await fleet.startSoon()
        let publisher = CountingPublisher(socket: member.brokerSocket, clientID: "load") { number in
            times.brokerAcknowledged(number)
        }
        // The first one opens the log.
        try await publish(1, nil, publisher, times)
        _ = times.take()
        var results: [(rate: Int, times: (broker: Spread, gateway: Spread))] = []
        for rate in Self.rates {
            try await publish(rate * seconds, Double(rate), publisher, times)
            results.append((rate, times.take()))
        }
        await fleet.end()
        return results
    }

    /// Returns when the gateway has acknowledged all.
    private func publish(
        _ count: Int, _ rate: Double?, _ publisher: CountingPublisher, _ times: Times
    ) async throws {
        try await publisher.publish(count: count, rate: rate) { number in
            times.published(number)
            return ("load/bench", Array(String(number).utf8))
        }
        try await until("the gateway has acknowledged \(count) messages") { times.count == count }
    }

    /// Seconds that overwriting 4 KiB and syncing it takes, again and again.
    private static func bareSync() throws -> [Double] {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let file = open(folder + "/bare", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ChildFailure(description: "\(folder)/bare cannot be made") }
        defer { _ = close(file) }
        let block = [UInt8](repeating: 7, count: 4096)
        var times: [Double] = []
        // The first two give the file its size and its place.
        for round in 0..<(bareSyncs + 2) {
            let begin = monotonicSeconds()
            guard pwrite(file, block, block.count, 0) == block.count, fdatasync(file) == 0 else {
                throw ChildFailure(description: "\(folder)/bare cannot be written")
            }
            if round >= 2 { times.append(monotonicSeconds() - begin) }
        }
        return times
    }
}

extension Double {
    /// Seconds, told in milliseconds.
    var milliseconds: String { (self * 1000).text(1) }
}
