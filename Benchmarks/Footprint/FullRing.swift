import Environment
import Glibc
import LogFormat
import Model
import Posix
import RingLog
import TestKit

/// A ring that is full of noise, which no encoding makes small: every series has a reading a minute, all at the same time.
struct FullRing {
    let bytes: Int
    var devices = 100

    /// The wall clock of the first reading, in microseconds since 1970.
    static let start: Int64 = 1_763_700_000_000_000
    static let minute: Int64 = 60_000_000

    static func device(_ number: Int) -> String { "sensor-\(number)" }

    /// Fills a ring in `folder`/data until the oldest must go; nothing is synced. Returns the readings that it holds, and the
    /// time of the newest in seconds since 1970.
    func fill(_ folder: String) throws -> (readings: Int, newest: Int) {
        for path in [folder, folder + "/data"] where mkdir(path, 0o700) != 0 {
            throw ChildFailure(description: "\(path) cannot be made")
        }
        let disk = UnsyncedDisk(disk: try FileDisk(path: folder + "/data/ring", size: bytes))
        var random = SeededRandom(seed: 1)
        var ring = try RingLog.open(disk: disk, options: RingOptions(), using: &random).ring
        let now = MonotonicInstant(nanoseconds: 0)
        let series = (0..<devices).map { Series(device: DeviceID(Self.device($0)), metric: "power") }
        var uptime: Int64 = 0
        var isFull = false
        while !isFull {
            uptime += Self.minute
            for series in series {
                let stamp = Stamp(
                    boot: BootID(high: 0, low: 1), uptime: Microseconds(uptime), wallOffset: Microseconds(Self.start),
                    isTrusted: true)
                let value = Value.number(Double.random(in: 0..<2000, using: &random))
                _ = try ring.append(Entry([Reading(series: series, stamp: stamp, value: value)]))
            }
            while let plan = ring.cut(now: now, using: &random) {
                for case .evicted in ring.finished(plan.id, plan.perform(on: disk), now: now) { isFull = true }
                if let plan = ring.maintenance() { _ = ring.finished(plan.perform(on: disk)) }
                if ring.waitingReadings == 0 { break }
            }
        }
        return (ring.statistics.readingsHeld, Int((Self.start + uptime) / 1_000_000))
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
private struct UnsyncedDisk: Disk {
    let disk: FileDisk

    var size: Int { disk.size }
    func read(at position: Int, count: Int) throws(DiskError) -> [UInt8] { try disk.read(at: position, count: count) }
    func write(_ bytes: [UInt8], at position: Int) throws(DiskError) { try disk.write(bytes, at: position) }
    func dropCache() { disk.dropCache() }
    func sync() throws(DiskError) {}
}
