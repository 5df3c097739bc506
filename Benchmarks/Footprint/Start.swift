import BenchmarkKit
import Glibc
import TestKit

/// From the start of the process to its first answer, with an empty ring and with a full one that is not in the page
/// cache, and a broker that is up; and the size of the program.
struct Start {
    let runs: Int

    private static let ringBytes = 64 << 20

    func run() async throws {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let program = folder + "/covey"
        guard system("strip -o '\(program)' '\(Files.sibling("covey"))'") == 0 else {
            throw ChildFailure(description: "strip failed: install binutils")
        }
        let readings = try await FullRing(bytes: Self.ringBytes).fill(folder + "/full").readings
        // The first start makes what else a gateway keeps beside its ring.
        _ = try await measure(program, folder + "/full")
        var (empty, full, peer) = ([Double](), [Double](), [Double]())
        for _ in 0..<runs {
            Files.remove(folder + "/new")
            empty.append(try await measure(program, folder + "/new"))
            full.append(try await measure(program, folder + "/full"))
            peer.append(try await measureBroker())
        }
        var report = Report("start", columns: ["what", "seconds to the first answer"])
        report.add("covey, new ring of 64 MiB", Self.text(empty))
        report.add("covey, full ring of 64 MiB, \((Double(readings) / 1e6).text(1)) million readings", Self.text(full))
        report.add("mosquitto, nothing stored", Self.text(peer))
        let ratio = Spread(full).median / Spread(peer).median
        report.note(
            "With the full ring, covey takes \(ratio.text(1)) times as long as mosquitto with nothing. "
                + "Medians of \(runs) runs; the ring was not in the page cache. "
                + "The program, static and stripped: \((Double(try Files.size(program)) / 1e6).text(1)) MB."
        )
        try report.publish()
    }

    private static func text(_ seconds: [Double]) -> String {
        let spread = Spread(seconds)
        return "\(spread.median.text(2)) (\(spread.least.text(2))–\(spread.most.text(2)))"
    }

    private func measure(_ program: String, _ folder: String) async throws -> Double {
        let broker = try MosquittoBroker()
        try await broker.start()
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw ChildFailure(description: "\(folder) cannot be made") }
        try FullRing.dropFromCache(folder + "/data/ring")
        let began = monotonicSeconds()
        let gateway = try await RunningGateway(program: program, folder: folder) {
            RunningGateway.head($0) + RunningGateway.mqtt(port: broker.port)
        }
        let seconds = monotonicSeconds() - began
        _ = try gateway.status()
        _ = await gateway.process.terminate()
        await broker.stop()
        return seconds
    }

    private func measureBroker() async throws -> Double {
        let broker = try MosquittoBroker()
        let began = monotonicSeconds()
        try await broker.start()
        let seconds = monotonicSeconds() - began
        await broker.stop()
        return seconds
    }
}
