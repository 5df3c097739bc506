import BenchmarkKit
import Environment
import Glibc
import LogFormat
import Model
import Posix
import TestKit

/// A ring that is full of noise, which no encoding makes small: every series has a reading a minute, all at the same time.
struct FullRing {
    let bytes: Int
    var devices = 100

    /// The wall clock of the first reading, in microseconds since 1970.
    static let start: Int64 = 1_763_700_000_000_000
    static let minute: Int64 = 60_000_000

    /// Readings of one commit while it is filled: the merged blocks, which nearly all of a ring is made of, are the same as of small commits.
    private static let readingsPerCommit = 6000
    /// The newest segments are read in full at a start, so they are as a daemon leaves them: a commit a minute, with the counters
    /// of all streams beside the readings. Of many streams these are three of them.
    private static let lastMinutes = 480

    static func device(_ number: Int) -> String { "sensor-\(number)" }

    /// What a ring has been filled with.
    struct Content {
        /// Readings that it holds.
        let readings: Int
        /// Readings that it has ever held.
        let stored: Int
        /// Time of the newest, in seconds since 1970.
        let newest: Int
    }

    /// Fills a ring in `folder`/data until the oldest must go, and goes on for some hours; nothing is synced. Tells `progress` where it
    /// is, now and then.
    func fill(_ folder: String, progress: (String) -> Void = { _ in }) async throws -> Content {
        for path in [folder, folder + "/data"] where mkdir(path, 0o700) != 0 {
            throw ChildFailure(description: "\(path) cannot be made")
        }
        let disk = UnsyncedDisk(disk: try FileDisk(path: folder + "/data/ring", size: bytes))
        var life = try RingLife(disk: disk, devices: devices)
        let began = monotonicSeconds()
        var told = began
        while !life.isFull {
            try await life.live(minutes: max(Self.readingsPerCommit / devices, 1))
            guard case let now = monotonicSeconds(), now - told > 5 else { continue }
            told = now
            let millions = Double(life.minutes * devices) / 1e6
            progress(
                "\(millions.text(1)) million readings in \((now - began).text()) s, "
                    + "\(life.bytesPerReading.text(1)) bytes each")
        }
        for _ in 0..<Self.lastMinutes {
            try life.count()
            try await life.live(minutes: 1)
        }
        try life.count()
        return Content(
            readings: try await life.end(), stored: life.minutes * devices,
            newest: Int(Self.start / 1_000_000) + life.minutes * 60)
    }

    /// What is not there is in no cache either.
    static func dropFromCache(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0, posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_DONTNEED)) == 0 else {
            throw ChildFailure(description: "\(path) cannot be dropped from the page cache")
        }
    }
}

/// For filling a ring fast: durable when the kernel likes.
struct UnsyncedDisk: Disk {
    let disk: FileDisk

    var size: Int { disk.size }
    func read(at position: Int, count: Int) throws(DiskError) -> [UInt8] { try disk.read(at: position, count: count) }
    func write(_ bytes: [UInt8], at position: Int) throws(DiskError) { try disk.write(bytes, at: position) }
    func dropCache() { disk.dropCache() }
    func sync() throws(DiskError) {}
}
