import BenchmarkKit
import Environment
import Glibc
import LogFormat
import Model
import Posix
import RingLog
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
        let readings = try Self.fill(folder + "/full")
        try await settle(program, folder + "/full")
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
        try Self.dropFromCache(folder + "/data/ring")
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

    /// Nobody has counted what was filled in; that is done once, and recorded with the commits that follow.
    private func settle(_ program: String, _ folder: String) async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let gateway = try await RunningGateway(program: program, folder: folder) {
            RunningGateway.head($0) + RunningGateway.mqtt(port: broker.port)
        }
        let counted = try gateway.status().ledger.stored
        for number in 1...3 {
            let publisher = CountingPublisher(port: broker.port, clientID: "settle")
            try await publisher.publish(count: 1) { _ in ("bench/last/temp", Array("\(number)".utf8)) }
            while try gateway.status().ledger.stored < counted + number { try await Task.sleep(for: .milliseconds(50)) }
        }
        _ = await gateway.process.terminate()
        await broker.stop()
    }

    private func measureBroker() async throws -> Double {
        let broker = try MosquittoBroker()
        let began = monotonicSeconds()
        try await broker.start()
        let seconds = monotonicSeconds() - began
        await broker.stop()
        return seconds
    }

    /// What is not there is in no cache either.
    private static func dropFromCache(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0, posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_DONTNEED)) == 0 else {
            throw ChildFailure(description: "\(path) cannot be dropped from the page cache")
        }
    }

    /// Fills a ring with commits of 100 readings until the oldest must go; nothing is synced. Returns the readings
    /// that it holds.
    private static func fill(_ folder: String) throws -> Int {
        for path in [folder, folder + "/data"] where mkdir(path, 0o700) != 0 {
            throw ChildFailure(description: "\(path) cannot be made")
        }
        let disk = UnsyncedDisk(disk: try FileDisk(path: folder + "/data/ring", size: ringBytes))
        var random = SeededRandom(seed: 1)
        var ring = try RingLog.open(disk: disk, options: RingOptions(), using: &random).ring
        let now = MonotonicInstant(nanoseconds: 0)
        var uptime: Int64 = 0
        while ring.statistics.evictedPending == 0 {
            for device in 0..<100 {
                uptime += 10_000
                let reading = Reading(
                    series: Series(device: DeviceID("sensor-\(device)"), metric: "power"),
                    stamp: Stamp(
                        boot: BootID(high: 0, low: 1), uptime: Microseconds(uptime),
                        wallOffset: Microseconds(1_763_700_000_000_000), isTrusted: true),
                    value: .number(Double.random(in: 0..<2000, using: &random)))
                _ = try ring.append(Entry([reading]))
            }
            while let plan = ring.cut(now: now, using: &random) {
                let result = plan.perform(on: disk)
                _ = ring.finished(plan.id, result, now: now)
                if let plan = ring.maintenance() { _ = ring.finished(plan.perform(on: disk)) }
                if ring.waitingReadings == 0 { break }
            }
        }
        return ring.statistics.readingsHeld
    }
}

/// For filling a ring fast: durable when the kernel likes.
private struct UnsyncedDisk: Disk {
    let disk: FileDisk

    var size: Int { disk.size }
    func read(at position: Int, count: Int) throws(DiskError) -> [UInt8] { try disk.read(at: position, count: count) }
    func write(_ bytes: [UInt8], at position: Int) throws(DiskError) { try disk.write(bytes, at: position) }
    func dropCache() { disk.dropCache() }
    func sync() throws(DiskError) {}
}
