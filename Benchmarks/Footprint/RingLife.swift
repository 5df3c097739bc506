import Environment
import LogFormat
import Model
import RingLog
import TestKit

/// A ring that lives through minutes as fast as the machine can: commits on this thread, merging on another one, as in the daemon.
struct RingLife {
    private let disk: UnsyncedDisk
    private let series: [Series]
    private var ring: RingLog
    private var random = SeededRandom(seed: 1)
    private var merge: Task<MaintenanceResult, Never>?
    private var commits = 0
    /// Lived so far; each series has had a reading in each of them.
    private(set) var minutes = 0
    /// The oldest readings have been given up.
    private(set) var isFull = false

    private let now = MonotonicInstant(nanoseconds: 0)
    private static let readingsPerEntry = 250
    /// A merge is waited for after so many commits: a segment takes 64 of them at least, so merging never falls behind, and every run
    /// gives the same ring.
    private static let commitsPerMerge = 32
    /// What `GatewayCore` calls the counts of a stream, and where they were taken.
    private static let (streamKind, positionKind): (UInt8, UInt8) = (1, 4)

    init(disk: UnsyncedDisk, devices: Int) throws {
        self.disk = disk
        series = (0..<devices).map { Series(device: DeviceID(FullRing.device($0)), metric: "power") }
        ring = try RingLog.open(disk: disk, options: RingOptions(), using: &random).ring
    }

    var bytesPerReading: Double { ring.statistics.bytesHeldPerReading }

    /// Stores the readings of the next minutes, in one commit where they fit.
    mutating func live(minutes count: Int) async throws {
        for _ in 0..<count {
            minutes += 1
            let stamp = Stamp(
                boot: BootID(high: 0, low: 1), uptime: Microseconds(Int64(minutes) * FullRing.minute),
                wallOffset: Microseconds(FullRing.start), isTrusted: true)
            for start in stride(from: 0, to: series.count, by: Self.readingsPerEntry) {
                let readings = series[start..<min(start + Self.readingsPerEntry, series.count)].map { series in
                    Reading(series: series, stamp: stamp, value: .number(Double.random(in: 0..<2000, using: &random)))
                }
                _ = try ring.append(Entry(readings))
            }
        }
        repeat { try await commit() } while ring.waitingReadings > 0
    }

    /// Counts every stream's readings, as the daemon does once a minute: what is counted no start needs to read. Rides in the next blocks.
    mutating func count() throws {
        guard let log = ring.currentLog else { return }
        var position: [UInt8] = []
        position.append(varint: log.rawValue)
        position.append(varint: ring.nextOffset.rawValue)
        var record: [UInt8] = []
        record.append(varint: UInt64(minutes))
        // No duplicates, nothing rejected, nothing dropped.
        record += [0, 0, 0] + position
        for series in series { try ring.put(StateKey(Self.streamKind, series.device.rawValue), record) }
        try ring.put(StateKey(Self.positionKind, ""), position)
    }

    /// Commits what is left. Returns the readings that the ring holds.
    mutating func end() async throws -> Int {
        while ring.hasUncutRecords { try await commit() }
        if let merge { _ = ring.finished(await merge.value) }
        merge = nil
        return ring.statistics.readingsHeld
    }

    private mutating func commit() async throws {
        guard let plan = ring.cut(now: now, using: &random) else { return }
        for event in ring.finished(plan.id, plan.perform(on: disk), now: now) {
            switch event {
            case .evicted: isFull = true
            case .failed(let error): throw ChildFailure(description: error.message)
            default: break
            }
        }
        commits += 1
        if commits % Self.commitsPerMerge == 0, let merge {
            _ = ring.finished(await merge.value)
            self.merge = nil
        }
        guard merge == nil, let plan = ring.maintenance() else { return }
        merge = Task { [disk] in plan.perform(on: disk) }
    }
}
