import BenchmarkKit
import Environment
import Glibc
import LogFormat
import Model
import RingLog
import TestKit

/// What readings of a site take at rest: merged in the ring, and in stores that others use.
struct Rest {
    let site: Site.Parameters
    let hours: Int

    private static let ringBytes = 64 << 20

    /// What is known of one store after all readings are in it.
    struct Figures {
        let name: String
        let bytes: Int
        /// Readings that it took: some have no place for texts.
        let readings: Int
        let written: Int
        var perReading: Double { Double(bytes) / Double(readings) }
    }

    func run(alone: Bool) throws {
        let ring = try measureRing()
        print("\(ring.name): \(ring.perReading) of \(ring.readings)")
    }

    private func measureRing() throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let disk = try MeteredDisk(path: folder + "/ring", size: Self.ringBytes)
        disk.sync(for: false)
        var random = SeededRandom(seed: 1)
        var ring = try RingLog.open(disk: disk, options: RingOptions(), using: &random).ring
        var site = Site(site)
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
        print(
            "\(count) readings, merged \(statistics.readingsMerged) into \(merged) bytes, "
                + "\(merging / Double(statistics.readingsMerged) * 1e6) µs each; written \(disk.counts)")
        return Figures(
            name: "ring", bytes: merged, readings: statistics.readingsMerged, written: disk.counts.steady)
    }
}
