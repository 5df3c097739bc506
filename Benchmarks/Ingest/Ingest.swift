import BenchmarkKit
import Glibc
import TestKit

/// Durable ingest: publishers → broker → gateway, parsed, stored, synced and only then acknowledged. Beside it, from
/// the same publishers in the same run: a mosquitto that bridges them to a second one, and a bare loop around
/// libmosquitto that only syncs and acknowledges, which is the limit. CPU is that of the measured process alone.
///
/// Usage: `ingest-benchmark [MESSAGES [RUNS [PUBLISHERS]]]`
@main
struct Ingest {
    let messages: Int
    let runs: Int
    let publishers: Int

    static func main() async throws {
        let words = CommandLine.arguments.dropFirst()
        if words.first == "--bare" { return try BareLoop(Array(words.dropFirst())).run() }
        let numbers = words.compactMap { Int($0) }
        let benchmark = Ingest(
            messages: numbers.first ?? 200_000, runs: numbers.dropFirst().first ?? 3,
            publishers: numbers.dropFirst(2).first ?? 4)
        try await benchmark.run()
    }

    private func run() async throws {
        print("\(messages) messages of QoS 1 from \(publishers) publishers, payloads like 21.5, \(runs) runs")
        var gateway: [Figures] = []
        var bridge: [Figures] = []
        var bare: [Figures] = []
        for _ in 0..<runs {
            gateway.append(try await measureGateway())
            bare.append(try await measureBare())
            bridge.append(try await measureBridge())
        }
        var report = Report(
            "ingest",
            columns: ["what", "messages/s", "per core of its CPU", "RSS MiB"])
        add("covey: parsed, stored, synced, then acknowledged", gateway, to: &report)
        add("mosquitto bridge: forwarded to a second broker, nothing synced", bridge, to: &report)
        add("bare libmosquitto loop: synced, then acknowledged; the limit", bare, to: &report)
        let own = Spread(gateway.map(\.perCore)).median
        let ratio = own / Spread(bridge.map(\.perCore)).median
        let part = own / Spread(bare.map(\.perCore)).median
        report.note(
            "Per core, covey is \(ratio.text(2)) times the bridge and \(part.text(2)) of the limit. "
                + "Medians of \(runs) runs of \(messages) messages from \(publishers) publishers; "
                + "least and most in brackets."
        )
        try report.publish()
    }

    private func add(_ name: String, _ figures: [Figures], to report: inout Report) {
        report.add(
            name, Spread(figures.map { Double(messages) / $0.wall }).text, Spread(figures.map(\.perCore)).text,
            Spread(figures.map { Double($0.usage.residentKiB) / 1024 }).median.text())
    }

    private struct Figures {
        let messages: Int
        let wall: Double
        let usage: Usage

        var perCore: Double { Double(messages) / max(usage.cpu, 0.001) }
    }

    private func measureGateway() async throws -> Figures {
        let broker = try MosquittoBroker(options: Publishers.unlimited)
        try await broker.start()
        let gateway = try await RunningGateway { RunningGateway.head($0) + RunningGateway.mqtt(port: broker.port) }
        let before = try gateway.usage()
        let began = monotonicSeconds()
        try await Publishers(port: broker.port, count: publishers).publish(messages)
        // Asking costs the gateway, too: seldom, and not while it is busiest.
        while try gateway.status().ledger.stored < messages { usleep(50_000) }
        let wall = monotonicSeconds() - began
        let usage = try gateway.usage().since(before)
        await gateway.end()
        await broker.stop()
        return Figures(messages: messages, wall: wall, usage: usage)
    }

    private func measureBare() async throws -> Figures {
        let broker = try MosquittoBroker(options: Publishers.unlimited)
        try await broker.start()
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let loop = try ChildProcess(
            CommandLine.arguments[0], ["--bare", "\(broker.port)", "\(messages)", folder + "/synced"])
        guard await loop.waitForLog(containing: "subscribed") else {
            throw ChildFailure(description: "the bare loop ended: " + loop.log.joined(separator: "; "))
        }
        let before = try Usage(of: loop.processID)
        let began = monotonicSeconds()
        try await Publishers(port: broker.port, count: publishers).publish(messages)
        guard await loop.waitForLog(containing: "done") else {
            throw ChildFailure(description: "the bare loop ended: " + loop.log.joined(separator: "; "))
        }
        let wall = monotonicSeconds() - began
        let usage = try Usage(of: loop.processID).since(before)
        _ = await loop.terminate()
        await broker.stop()
        return Figures(messages: messages, wall: wall, usage: usage)
    }

    /// The bridge takes from the publishers itself, as a site would run it; its CPU covers both sides.
    private func measureBridge() async throws -> Figures {
        let target = try MosquittoBroker(options: Publishers.unlimited)
        try await target.start()
        let bridge = try MosquittoBroker(
            options: Publishers.unlimited + [
                "connection bench", "address 127.0.0.1:\(target.port)", "topic bench/# out 1", "cleansession false",
                "notifications false",
            ])
        try await bridge.start()
        let last = try ChildProcess(
            "/usr/bin/mosquitto_sub", ["-p", String(target.port), "-t", "bench/last/temp", "-C", "1"])
        guard await target.waitForLog(containing: "New client connected") else {
            throw ChildFailure(description: "the bridge does not connect")
        }
        let before = try Usage(of: bridge.processID)
        let began = monotonicSeconds()
        try await Publishers(port: bridge.port, count: publishers).publish(messages)
        // The last message of all goes the same way behind the others, so its arrival says that they have arrived.
        let publisher = CountingPublisher(port: bridge.port, clientID: "last")
        try await publisher.publish(count: 1) { _ in ("bench/last/temp", Array("0".utf8)) }
        _ = await last.ending()
        let wall = monotonicSeconds() - began
        let usage = try Usage(of: bridge.processID).since(before)
        await bridge.stop()
        await target.stop()
        return Figures(messages: messages, wall: wall, usage: usage)
    }
}
