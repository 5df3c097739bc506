import Environment
import Glibc
import LogFormat
import Model
import Posix
import RingLog
import TestKit
import Testing

/// A data directory with the ring of a gateway that does not run, for `covey ring`.
struct RingFolder {
    static let peer = NodeID(high: 7, low: 9)
    static let copied = LogID(0xC0_FFEE)

    let path: String

    /// - Parameters:
    ///   - count: Own readings, a hundred to a block.
    ///   - copies: Readings of ``peer``, behind those.
    static func with(_ count: Int, copies: Int = 0, _ body: (RingFolder) async throws -> Void) async throws {
        try await withFolder { folder in
            defer { for name in ["ring", "lock", "out"] { unlink(folder + "/" + name) } }
            let made = RingFolder(path: folder)
            try made.make(count, copies: copies)
            try await body(made)
        }
    }

    /// One with some segments that are full.
    static func withFullSegments(_ body: (RingFolder) async throws -> Void) async throws {
        try await withFolder { folder in
            defer { for name in ["ring", "lock"] { unlink(folder + "/" + name) } }
            let made = RingFolder(path: folder)
            try made.makeLong()
            try await body(made)
        }
    }

    private func readings(_ count: Int, of device: String) -> [Reading] {
        (0..<count).map { number in
            Reading(
                series: Series(device: DeviceID(device), metric: "level", unit: "m"),
                stamp: Stamp(
                    boot: BootID(high: 1, low: 2), uptime: Microseconds(Int64(number) * 1_000_000),
                    wallOffset: Microseconds(1_000_000_000_000_000), isTrusted: true),
                value: .number(Double(number)))
        }
    }

    private func make(_ count: Int, copies: Int) throws {
        let disk = try FileDisk(path: path + "/ring", size: 8 * Geometry.standard.segmentBytes)
        var random = SystemRandomNumberGenerator()
        var (ring, _) = try RingLog.open(disk: disk, options: RingOptions(), using: &random)
        var now = MonotonicInstant(nanoseconds: 0)
        // The first one of a ring is a header alone.
        func commit() throws {
            while ring.waitingReadings + ring.waitingCopiedReadings > 0 {
                let plan = try #require(ring.cut(now: now, using: &random))
                _ = ring.finished(plan.id, plan.perform(on: disk), now: now)
                now = now.advanced(by: .seconds(1))
            }
        }
        for reading in readings(count, of: "tide") {
            _ = try ring.append(Entry([reading]))
            if ring.waitingReadings == 100 { try commit() }
        }
        try commit()
        guard copies > 0 else { return }
        let name = LogName(node: Self.peer, log: Self.copied)
        _ = try ring.store(name, first: .zero, readings: readings(copies, of: "far"), anchors: [])
        try commit()
    }

    var contents: [UInt8] { get throws { try File.read(path + "/ring", limit: 1 << 26) } }

    /// Turns one byte of the file over.
    func spoil(at position: Int) throws {
        let descriptor = open(path + "/ring", O_RDWR)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var byte: UInt8 = 0
        try #require(pread(descriptor, &byte, 1, off_t(position)) == 1)
        byte ^= 0xFF
        try #require(pwrite(descriptor, &byte, 1, off_t(position)) == 1)
    }

    /// The units where the blocks of segment 0 begin.
    func blocks() throws -> [Int] {
        let bytes = Array(try contents.prefix(Geometry.standard.segmentBytes))
        guard case .found(let header, _) = SegmentHeaderState.read(Array(bytes[..<Geometry.headerBytes])) else {
            return []
        }
        let scan = SegmentScan(bytes, store: header.store, generation: header.generation, geometry: .standard)
        return scan.blocks.filter { $0.frame.header.readings > 0 }.map(\.unit)
    }

    /// A ring of which some segments are full.
    private func makeLong() throws {
        let disk = try FileDisk(path: path + "/ring", size: 16 * Geometry.standard.segmentBytes)
        var random = SystemRandomNumberGenerator()
        var (ring, _) = try RingLog.open(disk: disk, options: RingOptions(), using: &random)
        var now = MonotonicInstant(nanoseconds: 0)
        let series = Series(device: DeviceID("tide"), metric: "level")
        for block in 0..<320 {
            let stamp = Stamp(
                boot: BootID(high: 1, low: 2), uptime: Microseconds(Int64(block) * 1_000_000),
                wallOffset: Microseconds(1_000_000_000_000_000), isTrusted: true)
            for number in 0..<240 {
                // Nothing that a packed block could make much smaller.
                let text = (0..<20).map { _ in String(random.next(), radix: 36) }.joined()
                let value = Value.text(String(text.prefix(240)) + "\(number)")
                _ = try ring.append(Entry([Reading(series: series, stamp: stamp, value: value)]))
            }
            while ring.waitingReadings > 0 {
                let plan = try #require(ring.cut(now: now, using: &random))
                _ = ring.finished(plan.id, plan.perform(on: disk), now: now)
                now = now.advanced(by: .seconds(1))
            }
        }
    }

    /// The segment with a footer that was opened first, and its last block with readings.
    func oldestFinished() throws -> (segment: Int, block: BlockEntry) {
        let bytes = try File.read(path + "/ring", limit: 1 << 27)
        var oldest: (generation: UInt64, segment: Int, block: BlockEntry)?
        let size = Geometry.standard.segmentBytes
        for segment in 0..<bytes.count / size {
            let part = Array(bytes[segment * size..<(segment + 1) * size])
            guard case .found(let header, _) = SegmentHeaderState.read(Array(part[..<Geometry.headerBytes])),
                header.generation < oldest?.generation ?? .max,
                let start = Footer.start(
                    Array(part.suffix(Geometry.unit)), store: header.store, generation: header.generation,
                    geometry: .standard),
                let footer = Footer.read(
                    Array(part[start...]), store: header.store, generation: header.generation, geometry: .standard),
                let block = footer.blocks.last
            else { continue }
            oldest = (header.generation, segment, block)
        }
        return try #require(oldest.map { ($0.segment, $0.block) })
    }
}
