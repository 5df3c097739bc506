import BenchmarkKit
import Glibc
import TestKit

/// Hours of a gateway in minutes: its core on a clock of its own and a real file, fed as an MQTT broker feeds it, one
/// commit a second, with a sink that takes everything. Counts what is written; and what others write for the same commits.
struct Flash {
    let rate: Int
    let hours: Int

    private static let ringBytes = 64 << 20
    /// Commits of a peer: its figures are steady by then.
    private static let mostCommits = 3600

    private struct Figures {
        let name: String
        let readings: Int
        /// By the process and, where there are counters, by the device.
        let used: Usage
        let device: Int?
        /// Of the ring alone.
        var counts: MeteredDisk.Counts?

        /// The ring hands over whole pages; of a file that the kernel holds in large folios it would account all of each, see the page.
        var process: Int { counts?.steady ?? used.bytesWritten }
        var handed: Int { counts?.steady ?? used.bytesHanded }

        func perReading(_ bytes: Int) -> Double { Double(bytes) / Double(readings) }
    }

    static func run(_ cases: [Flash]) throws {
        var parts = Report(
            "flash",
            columns: ["what", "bytes per reading", "blocks", "merging", "headers, footers", "with zero-fill"])
        var peers = Report(
            "flash-peers",
            columns: [
                "readings/s, and where they are kept", "bytes handed to the kernel per reading",
                "accounted to the process", "written by the device", "times the ring", "by the device",
            ])
        for flash in cases {
            let own = try flash.measureRing()
            if let counts = own.counts {
                let bytes = [counts.steady, counts.blocks, counts.merged, counts.frames, counts.all]
                parts.add(
                    ["\(flash.rate) readings/s, \(flash.hours) h"] + bytes.map { own.perReading($0).text(1) })
            }
            for figures in [own] + (try flash.measurePeers()) { flash.add(figures, beside: own, to: &peers) }
        }
        parts.note(
            "One commit a second. Everything that the daemon keeps in its ring is in it: readings, delivery marks, "
                + "counters and upload progress. \(Trace.statistics) Zero-fill is written once in the life "
                + "of a ring, as much as its size "
                + "(here \(ringBytes >> 20) MiB), as readings need the room.")
        try parts.publish()
        peers.note(try peersNote())
        try peers.publish()
    }

    private func add(_ figures: Figures, beside own: Figures, to report: inout Report) {
        let device = figures.device.map { figures.perReading($0) }
        let ratio = own.device.map { own.perReading($0) }.flatMap { ring in device.map { ($0 / ring).text(1) } }
        report.add(
            "\(rate), \(figures.name)", figures.perReading(figures.handed).text(1),
            figures.perReading(figures.used.bytesWritten).text(1), device?.text(1) ?? "–",
            (figures.perReading(figures.process) / own.perReading(own.process)).text(1), ratio ?? "–")
    }

    private func measureRing() throws -> Figures {
        try counting("ring") { folder in
            let disk = try MeteredDisk(path: folder + "/ring", size: Self.ringBytes)
            var site = try FlashSite(disk: disk)
            var trace = Trace(devices: rate)
            for second in 0..<hours * 3600 { try site.live(second, trace.next()) }
            guard site.stored == rate * hours * 3600 else {
                throw ChildFailure(description: "\(site.stored) of \(rate * hours * 3600) readings were stored")
            }
            return (site.stored, disk.counts)
        }
    }

    private func measurePeers() throws -> [Figures] {
        [
            try measure("SQLite") { try SQLitePeer(path: $0 + "/peer.db") },
            try measure("LMDB") { try LMDBPeer(path: $0 + "/peer.mdb") },
            try measure("RocksDB") { try RocksDBPeer(path: $0 + "/peer.rocks") },
        ]
    }

    private func measure(_ name: String, _ make: (String) throws -> any Peer) throws -> Figures {
        try counting(name) { folder in
            let peer = try make(folder)
            var trace = Trace(devices: rate)
            for _ in 0..<min(hours * 3600, Self.mostCommits) { try peer.commit(trace.next()) }
            // What it has put off is part of what its readings cost.
            _ = try peer.settle()
            return (peer.readings, nil)
        }
    }

    /// What is written while `work` stores readings in a new folder.
    private func counting(
        _ name: String, _ work: (String) throws -> (readings: Int, counts: MeteredDisk.Counts?)
    ) throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let device = try BlockDevice(below: folder)
        let written = try device?.bytesWritten()
        let before = try Usage(of: getpid())
        let (readings, counts) = try work(folder)
        let used = try Usage(of: getpid()).since(before)
        var fromDevice: Int?
        if let device, let written { fromDevice = try device.bytesWritten() - written - (counts?.zeros ?? 0) }
        let figures = Figures(name: name, readings: readings, used: used, device: fromDevice, counts: counts)
        say(
            "\(rate) readings/s, \(name): \(figures.perReading(figures.process).text(1)) bytes by the process, "
                + "\(fromDevice.map { figures.perReading($0).text(1) } ?? "–") by the device", to: STDERR_FILENO)
        return figures
    }

    private static func peersNote() throws -> String {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let fileSystem = try BlockDevice(below: folder)?.fileSystem ?? "no device"
        return
            "The same commits, each synced, up to \(mostCommits) of them for the others, which then settle: SQLite moves its write-ahead log to "
            + "the database, RocksDB flushes and compacts all it has, and both are in the figures. Handed to the kernel: `wchar` of `/proc/PID/io`, of "
            + "the ring its own count of whole blocks. Accounted to the process: `write_bytes`, the pages or larger folios that became dirty. "
            + "Written by the device: sectors in `/sys/dev/block/…/stat`, with the journal of \(fileSystem), and everything that other programs "
            + "wrote meanwhile, so let nothing else run beside it. The zeros that a ring is filled with once are left out of the first and the third. Times the ring: "
            + "what is accounted to the process, of the ring what it hands over, as it overwrites files that the kernel holds in large folios."
    }
}
