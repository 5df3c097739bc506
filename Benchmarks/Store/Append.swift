import BenchmarkKit
import Environment
import Glibc
import Model
import Posix
import RingLog
import TestKit

/// Appends of 100 readings a commit: the ring, merging behind itself as it does in the daemon, new and filled once, and
/// SQLite.
struct Append {
    let commits: Int
    let runs: Int

    static let readingsPerCommit = 100
    private static let ringBytes = 32 << 20

    private struct Figures {
        /// Readings per second of wall time.
        let rate: Double
        /// Bytes per reading that were handed to the kernel.
        let written: Double
        /// Bytes per reading, without what is written once only.
        let steady: Double
        /// Bytes per reading in memory that the kernel holds to be written: all of a folio, however small the part of
        /// it that changed.
        let accounted: Double
        let atRest: Double
    }

    func run() throws {
        let commitsOfReadings = Self.makeReadings(commits)
        var young: [Figures] = []
        var ring: [Figures] = []
        var peer: [Figures] = []
        var limit: [Double] = []
        for _ in 0..<runs {
            young.append(try measureRing(commitsOfReadings, isNew: true))
            ring.append(try measureRing(commitsOfReadings, isNew: false))
            peer.append(try measurePeer(commitsOfReadings))
            limit.append(try measureDisk())
        }
        var report = Report(
            "append",
            columns: [
                "what", "readings/s", "bytes written per reading", "of which steady", "as the kernel accounts",
                "bytes at rest per reading",
            ])
        Self.add("ring, filled once, as it is for the rest of its life", ring, to: &report)
        Self.add("ring, new: zeros are written ahead of the readings", young, to: &report)
        Self.add("SQLite, WAL, synchronous=FULL", peer, to: &report)
        report.add(
            "4 KiB overwritten and synced for each commit, and nothing else: the disk's limit", Spread(limit).text,
            "41.0",
            "41.0", "–", "–")
        let ratio = Spread(ring.map(\.rate)).median / Spread(peer.map(\.rate)).median
        let bytes = Spread(peer.map(\.written)).median / Spread(ring.map(\.written)).median
        report.note(
            "The filled ring takes \(ratio.text(2)) times as many readings a second and writes \(bytes.text(2)) times less. "
                + "\(commits) commits of \(Self.readingsPerCommit) readings each, the same in both, one after the other "
                + "on the same disk; medians of \(runs) runs. \(Trace.statistics) "
                + "Steady leaves out the zeros that a ring is filled with once."
        )
        try report.publish()
    }

    private static func makeReadings(_ commits: Int) -> [[Reading]] {
        var trace = Trace(devices: readingsPerCommit)
        return (0..<commits).map { _ in trace.next() }
    }

    private static func add(_ name: String, _ figures: [Figures], to report: inout Report) {
        report.add(
            name, Spread(figures.map(\.rate)).text, Spread(figures.map(\.written)).median.text(1),
            Spread(figures.map(\.steady)).median.text(1), Spread(figures.map(\.accounted)).median.text(1),
            Spread(figures.map(\.atRest)).median.text(1))
    }

    private func measureRing(_ commits: [[Reading]], isNew: Bool) throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let disk = try MeteredDisk(path: folder + "/ring", size: Self.ringBytes)
        var random = SeededRandom(seed: 1)
        var ring = try RingLog.open(disk: disk, options: RingOptions(), using: &random).ring
        let now = MonotonicInstant(nanoseconds: 0)
        if !isNew { try fill(&ring, disk, now, &random) }
        let before = try Usage(of: getpid())
        let began = monotonicSeconds()
        for readings in commits {
            for reading in readings { _ = try ring.append(Entry([reading])) }
            // The first commit of all is a header alone.
            repeat { try commit(&ring, disk, now, &random) } while ring.waitingReadings > 0
        }
        let wall = monotonicSeconds() - began
        let used = try Usage(of: getpid()).since(before)
        let written = disk.counts
        // What is not yet merged is dense a little later: the figure at rest is that of merged blocks alone.
        while ring.hasWork || mergesMore(&ring, disk) { try commit(&ring, disk, now, &random) }
        let count = Double(commits.count * Self.readingsPerCommit)
        return Figures(
            rate: count / wall, written: Double(written.all) / count, steady: Double(written.steady) / count,
            accounted: Double(used.bytesWritten) / count, atRest: ring.statistics.bytesHeldPerReading)
    }

    /// Once around, so that every write is an overwrite from here on.
    private func fill(
        _ ring: inout RingLog, _ disk: MeteredDisk, _ now: MonotonicInstant, _ random: inout SeededRandom
    ) throws {
        var trace = Trace(devices: Self.readingsPerCommit)
        disk.sync(for: false)
        while ring.statistics.evictedPending == 0 {
            for reading in trace.next() { _ = try ring.append(Entry([reading])) }
            repeat { try commit(&ring, disk, now, &random) } while ring.waitingReadings > 0
        }
        disk.sync(for: true)
        try disk.sync()
        disk.forgetCounts()
    }

    private func commit(
        _ ring: inout RingLog, _ disk: MeteredDisk, _ now: MonotonicInstant, _ random: inout SeededRandom
    ) throws {
        guard let plan = ring.cut(now: now, using: &random) else { return }
        let result = plan.perform(on: disk)
        for event in ring.finished(plan.id, result, now: now) {
            if case .failed(let error) = event { throw ChildFailure(description: error.message) }
        }
        _ = mergesMore(&ring, disk)
    }

    private func mergesMore(_ ring: inout RingLog, _ disk: MeteredDisk) -> Bool {
        guard let plan = ring.maintenance() else { return false }
        _ = ring.finished(plan.perform(on: disk))
        return true
    }

    /// Readings per second, if writing and syncing a block took all of the time.
    private func measureDisk() throws -> Double {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let blocks = 1024
        let disk = try FileDisk(path: folder + "/blocks", size: blocks * 4096)
        for place in 0..<blocks { try disk.write([UInt8](repeating: 0, count: 4096), at: place * 4096) }
        try disk.sync()
        let block = [UInt8](repeating: 0xA5, count: 4096)
        let began = monotonicSeconds()
        for place in 0..<commits {
            try disk.write(block, at: place % blocks * 4096)
            try disk.sync()
        }
        return Double(commits * Self.readingsPerCommit) / (monotonicSeconds() - began)
    }

    private func measurePeer(_ commits: [[Reading]]) throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let peer = try SQLitePeer(path: folder + "/peer.db")
        let before = try Usage(of: getpid())
        let began = monotonicSeconds()
        for readings in commits { try peer.commit(readings) }
        let wall = monotonicSeconds() - began
        let used = try Usage(of: getpid()).since(before)
        try peer.checkpoint()
        let count = Double(commits.count * Self.readingsPerCommit)
        let written = Double(used.bytesWritten) / count
        return Figures(
            rate: count / wall, written: written, steady: written, accounted: written,
            atRest: Double(try Files.size(peer.path)) / count)
    }
}
