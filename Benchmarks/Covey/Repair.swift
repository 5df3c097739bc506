import BenchmarkKit
import TestKit

/// A gateway comes back after it was cut off while the others measured as much as an hour brings: how long until it holds all?
struct Repair: Sendable {
    private static let gateways = 3
    private static let devices = 100
    /// Bytes of chunks a second, as the program has it: Documentation/Replication.md.
    private static let limit = 512.0 * 1024

    /// Readings that it misses, one after the other.
    let amounts: [Int]

    private struct Result: Sendable {
        let known: Double
        let whole: Double
        let received: Int
        let sent: Int
    }

    func run() async throws {
        var report = Report(
            "covey-repair",
            columns: [
                "readings missed", "knows the others, s", "holds all, s", "readings/s", "bytes/s to it",
                "of the limit",
                "bytes per reading",
            ])
        let network = try await LabNetwork(Self.gateways)
        // Nobody has what the receiver has: it stays away.
        let fleet = try await Fleet(
            Self.gateways, window: "100 ms", network: network, under: CoveyBenchmark.disk, ring: "128 MiB")
        try await fleet.startSoon()
        let clients = fleet.members.prefix(2).map {
            CountingPublisher(socket: $0.brokerSocket, clientID: "hour", inFlight: 1000)
        }
        for amount in amounts {
            let result = try await measure(amount, fleet, network, clients)
            let span = result.whole - result.known
            let pace = Double(result.received) / span
            let size = Double(result.received) / Double(amount)
            report.add(
                Double(amount).text(), result.known.text(1), result.whole.text(1), (Double(amount) / span).text(),
                pace.text(), (pace / Self.limit).text(2), size.text(1))
            say("\(amount) readings: done")
        }
        await fleet.end()
        report.note(
            "Two gateways take the readings of \(Self.devices) devices as fast as they come while the third's cable is cut; the receiver is "
                + "away, as nobody fetches what it has; the disk is \(CoveyBenchmark.fileSystem). Seconds from the moment that the cable is whole. Readings/s and bytes/s count "
                + "from where it knows the others; bytes are those of its cable, with all headers. The limit is 512 KiB/s of chunks."
        )
        try report.publish()
    }

    private func measure(
        _ amount: Int, _ fleet: Fleet, _ network: LabNetwork, _ clients: [CountingPublisher]
    ) async throws -> Result {
        let (away, others) = (fleet.members[2], Array(fleet.members.prefix(2)))
        let held = try await away.status().ring.readings
        try await network.isolate([2], from: [0, 1, .outside])
        for member in others {
            try await until("\(member.name) holds \(away.name) for dead", every: .milliseconds(200)) {
                try await member.peers().contains { $0.name == away.name && $0.state == "dead" }
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, client) in clients.enumerated() {
                group.addTask { try await client.publish(count: amount / 2) { Self.message($0, of: index) } }
            }
            try await group.waitForAll()
        }
        let whole = held + amount / 2 * 2
        for member in others {
            try await until("\(member.name) holds all", within: .seconds(300), every: .milliseconds(200)) {
                try await member.status().ring.readings == whole
            }
        }
        let before = try await network.traffic()[2]
        try await network.heal()
        let healed = monotonicSeconds()
        try await until("\(away.name) knows the others", every: .milliseconds(50)) {
            try await away.status().alivePeers.count == others.count
        }
        let known = monotonicSeconds() - healed
        try await until("\(away.name) holds all", within: .seconds(600), every: .milliseconds(100)) {
            try await away.status().ring.readings == whole
        }
        let span = monotonicSeconds() - healed
        let after = try await network.traffic()[2]
        return Result(
            known: known, whole: span, received: after.receivedBytes - before.receivedBytes,
            sent: after.sentBytes - before.sentBytes)
    }

    /// Temperatures told to 0.1 that wander, of one device after the other.
    private static func message(_ number: Int, of gateway: Int) -> (topic: String, payload: [UInt8]) {
        let device = number % devices
        let mixed = UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
        let noise = Int(mixed >> 61)
        let tenths = 180 + device % 40 + number / devices % 30 + noise
        return ("load/hour\(gateway)-\(device)", Array("\(tenths / 10).\(tenths % 10)".utf8))
    }
}
