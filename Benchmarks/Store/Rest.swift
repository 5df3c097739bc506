import BenchmarkKit
import Environment
import Glibc
import LogFormat
import Model
import RingLog
import TestKit

/// What readings of a site take at rest: merged in the ring, and in stores that others use.
struct Rest {
    let site: SensorSite.Parameters
    let hours: Int

    private static let ringBytes = 64 << 20

    /// What is known of one store after all readings are in it.
    struct Figures {
        let name: String
        let bytes: Int
        /// Readings that it took: some have no place for words.
        let readings: Int
        /// Bytes handed to the kernel while they came in; `nil` where another process did it.
        let written: Int?
        var perReading: Double { Double(bytes) / Double(readings) }
    }

    func run(alone: Bool) throws {
        var report = Report(
            "rest", columns: ["what", "bytes at rest per reading", "times the ring", "written per reading, all in all"])
        let ring = try measureRing()
        var all = [ring]
        if !alone {
            all.append(try measure { try SQLitePeer(path: $0 + "/peer.db") })
            all.append(try measure { try LMDBPeer(path: $0 + "/peer.mdb") })
            all.append(try measure { try RocksDBPeer(path: $0 + "/peer.rocks") })
            all.append(try measure(inside: false) { try InfluxPeer(folder: $0) })
            all.append(try measure(inside: false) { PrometheusPeer(folder: $0) })
            all.append(try measure(inside: false) { try VictoriaPeer(folder: $0) })
        }
        for figures in all {
            report.add(
                figures.name, figures.perReading.text(2), (figures.perReading / ring.perReading).text(2),
                figures.written.map { (Double($0) / Double(figures.readings)).text(1) } ?? "–")
        }
        let series = SensorSite(site).series
        report.note(
            "\(Double(ring.readings).text()) merged readings of \(series) series in \(hours) h, in commits of one second; the ring's "
                + "blocks are counted in whole units of 4 KiB. \(SensorSite.statistics(site))")
        try report.publish()
    }

    /// `inside`: it is part of this process, so that what is written can be counted.
    private func measure(inside: Bool = true, _ make: (String) throws -> any Peer) throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let peer = try make(folder)
        var site = SensorSite(site)
        let before = try Usage(of: getpid())
        for _ in 0..<hours * 3600 {
            let readings = site.next().flatMap { $0 }
            if !readings.isEmpty { try peer.commit(readings) }
        }
        let bytes = try peer.settle()
        let used = try Usage(of: getpid()).since(before)
        say("\(peer.name): \((Double(bytes) / Double(peer.readings)).text(2))")
        return Figures(
            name: peer.name, bytes: bytes, readings: peer.readings, written: inside ? used.bytesWritten : nil)
    }

    private func measureRing() throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let disk = try MeteredDisk(path: folder + "/ring", size: Self.ringBytes)
        disk.sync(for: false)
        var random = SeededRandom(seed: 1)
        var ring = try RingLog.open(disk: disk, options: RingOptions(), using: &random).ring
        var site = SensorSite(site)
        var count = 0
        var merging = 0.0
        func settle() throws {
            repeat {
                guard let plan = ring.cut(now: MonotonicInstant(nanoseconds: 0), using: &random) else { break }
                let result = plan.perform(on: disk)
                for event in ring.finished(plan.id, result, now: MonotonicInstant(nanoseconds: 0)) {
                    if case .failed(let error) = event { throw ChildFailure(description: error.message) }
                }
            } while ring.waitingReadings > 0
            if let plan = ring.maintenance() {
                let began = monotonicSeconds()
                _ = ring.finished(plan.perform(on: disk))
                merging += monotonicSeconds() - began
            }
        }
        for _ in 0..<hours * 3600 {
            for message in site.next() {
                _ = try ring.append(Entry(message))
                count += message.count
            }
            try settle()
        }
        while ring.hasWork { try settle() }
        let statistics = ring.statistics
        let merged = disk.counts.merged
        say(
            "ring: \((Double(merged) / Double(statistics.readingsMerged)).text(2)), merged in "
                + "\((merging / Double(statistics.readingsMerged) * 1e6).text(2)) µs a reading; \(disk.counts)")
        return Figures(
            name: "ring, merged", bytes: merged, readings: statistics.readingsMerged,
            written: disk.counts.steady * statistics.readingsMerged / count)
    }
}
