import BenchmarkKit
import Environment
import Glibc
import Model
import Posix
import RingLog
import Synchronization
import TestKit

/// Appends of 100 readings a commit: the ring, merging beside the commits as it does in the daemon, new and filled once, and the stores that
/// others use for this.
struct Append {
    let commits: Int
    let runs: Int

    static let readingsPerCommit = 100
    private static let ringBytes = 32 << 20

    private struct Figures {
        /// Readings per second of wall time.
        let rate: Double
        /// Seconds that each commit took.
        let commits: [Double]
        /// Bytes per reading that were handed to the kernel.
        let written: Double
        /// Bytes per reading in memory that the kernel holds to be written: all of a folio, however small the part of
        /// it that changed.
        let accounted: Double
        let atRest: Double
    }

    func run() throws {
        let commitsOfReadings = Self.makeReadings(commits)
        var young: [Figures] = []
        var ring: [Figures] = []
        var peers: [(name: String, figures: [Figures])] = []
        var limit: [Figures] = []
        for _ in 0..<runs {
            young.append(try measureRing(commitsOfReadings, isNew: true))
            ring.append(try measureRing(commitsOfReadings, isNew: false))
            for (index, make) in Self.peers.enumerated() {
                let (name, figures) = try measurePeer(commitsOfReadings, make)
                if peers.count == index { peers.append((name, [])) }
                peers[index].figures.append(figures)
            }
            limit.append(try measureDisk())
        }
        var report = Report(
            "append",
            columns: [
                "what", "readings/s", "times the ring", "a commit, ms: p50", "p99", "bytes written per reading",
                "as the kernel accounts", "bytes at rest per reading",
            ])
        let own = Spread(ring.map(\.rate)).median
        Self.add("ring, filled once, as it is for the rest of its life", ring, own, to: &report)
        Self.add("ring, new: zeros are written ahead of the readings", young, own, to: &report)
        for (name, figures) in peers { Self.add(name, figures, own, to: &report) }
        Self.add("4 KiB overwritten and synced, and nothing else: the disk's limit", limit, own, to: &report)
        report.note(
            "\(commits) commits of \(Self.readingsPerCommit) readings each, the same in all, one after the other "
                + "on the same disk, each synced; medians of \(runs) runs, least and most in brackets. \(Trace.statistics) "
                + "The ring merges on another thread meanwhile, as RocksDB compacts. Of the peers the bytes written are those that the kernel accounts to the process. At rest: as long as nothing is merged in "
                + "the background, and of the others all files.")
        try report.publish()
    }

    /// Each with its own file or folder, given as a path.
    private static var peers: [(String) throws -> any Peer] {
        [{ try SQLitePeer(path: $0) }, { try LMDBPeer(path: $0) }, { try RocksDBPeer(path: $0) }]
    }

    private static func makeReadings(_ commits: Int) -> [[Reading]] {
        var trace = Trace(devices: readingsPerCommit)
        return (0..<commits).map { _ in trace.next() }
    }

    /// - Parameter own: The ring's readings per second.
    private static func add(_ name: String, _ figures: [Figures], _ own: Double, to report: inout Report) {
        let rates = Spread(figures.map(\.rate))
        func latency(_ part: Double) -> String {
            Spread(figures.map { Spread($0.commits).quantile(part) * 1000 }).median.text(2)
        }
        let atRest = Spread(figures.map(\.atRest)).median
        report.add(
            name, rates.text, (rates.median / own).text(2), latency(0.5), latency(0.99),
            Spread(figures.map(\.written)).median.text(1), Spread(figures.map(\.accounted)).median.text(1),
            atRest > 0 ? atRest.text(1) : "–")
    }

    private func measureRing(_ commits: [[Reading]], isNew: Bool) throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let disk = try MeteredDisk(path: folder + "/ring", size: Self.ringBytes)
        var random = SeededRandom(seed: 1)
        var ring = try RingLog.open(disk: disk, options: RingOptions(), using: &random).ring
        let now = MonotonicInstant(nanoseconds: 0)
        if !isNew { try fill(&ring, disk, now, &random) }
        let merging = Merging()
        let before = try Usage(of: getpid())
        let began = monotonicSeconds()
        var times: [Double] = []
        for readings in commits {
            let start = monotonicSeconds()
            defer { times.append(monotonicSeconds() - start) }
            for reading in readings { _ = try ring.append(Entry([reading])) }
            // The first commit of all is a header alone.
            repeat { try commit(&ring, disk, now, &random) } while ring.waitingReadings > 0
            merging.step(&ring, disk)
        }
        let wall = monotonicSeconds() - began
        let used = try Usage(of: getpid()).since(before)
        let written = disk.counts
        merging.finish(&ring)
        // What is not yet merged is dense a little later: the figure at rest is that of merged blocks alone.
        while ring.hasWork || merge(&ring, disk) { try commit(&ring, disk, now, &random) }
        let count = Double(commits.count * Self.readingsPerCommit)
        return Figures(
            rate: count / wall, commits: times, written: Double(written.all) / count,
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
            _ = merge(&ring, disk)
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
    }

    private func merge(_ ring: inout RingLog, _ disk: MeteredDisk) -> Bool {
        guard let plan = ring.maintenance() else { return false }
        _ = ring.finished(plan.perform(on: disk))
        return true
    }

    /// As if writing and syncing a block took all of the time.
    private func measureDisk() throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let blocks = 1024
        let disk = try FileDisk(path: folder + "/blocks", size: blocks * 4096)
        for place in 0..<blocks { try disk.write([UInt8](repeating: 0, count: 4096), at: place * 4096) }
        try disk.sync()
        let block = [UInt8](repeating: 0xA5, count: 4096)
        let before = try Usage(of: getpid())
        let began = monotonicSeconds()
        var times: [Double] = []
        for place in 0..<commits {
            let start = monotonicSeconds()
            try disk.write(block, at: place % blocks * 4096)
            try disk.sync()
            times.append(monotonicSeconds() - start)
        }
        let wall = monotonicSeconds() - began
        let used = try Usage(of: getpid()).since(before)
        let count = Double(commits * Self.readingsPerCommit)
        return Figures(
            rate: count / wall, commits: times, written: Double(commits * block.count) / count,
            accounted: Double(used.bytesWritten) / count, atRest: 0)
    }

    private func measurePeer(
        _ commits: [[Reading]], _ make: (String) throws -> any Peer
    ) throws -> (name: String, figures: Figures) {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let peer = try make(folder + "/peer")
        let before = try Usage(of: getpid())
        let began = monotonicSeconds()
        var times: [Double] = []
        for readings in commits {
            let start = monotonicSeconds()
            try peer.commit(readings)
            times.append(monotonicSeconds() - start)
        }
        let wall = monotonicSeconds() - began
        let used = try Usage(of: getpid()).since(before)
        let count = Double(commits.count * Self.readingsPerCommit)
        let written = Double(used.bytesWritten) / count
        let figures = Figures(
            rate: count / wall, commits: times, written: written, accounted: written,
            atRest: Double(try peer.settle()) / count)
        return (peer.name, figures)
    }
}

/// What the daemon's other storage thread does: merges what is sealed, one segment at a time.
private final class Merging: Sendable {
    private let state = Mutex<(isRunning: Bool, result: MaintenanceResult?)>((false, nil))

    /// Hands over what is done, and begins the next where there is one.
    func step(_ ring: inout RingLog, _ disk: MeteredDisk) {
        guard take(&ring), let plan = ring.maintenance() else { return }
        state.withLock { $0.isRunning = true }
        Task.detached { [self] in
            let result = plan.perform(on: disk)
            state.withLock { $0 = (false, result) }
        }
    }

    /// Waits for what is under way.
    func finish(_ ring: inout RingLog) {
        while !take(&ring) { sched_yield() }
    }

    /// Whether nothing is under way.
    private func take(_ ring: inout RingLog) -> Bool {
        let (isRunning, result) = state.withLock { state in
            defer { state.result = nil }
            return state
        }
        if let result { _ = ring.finished(result) }
        return !isRunning
    }
}
