import Environment
import Glibc
import LogFormat
import RingLog
import Simulator
import Testing

@Suite("Power loss")
struct PowerLossTests {
    /// `COVEY_CRASH_IMAGES=1000000` starts on more; `covey-sim power-loss` is faster.
    private static let images = getenv("COVEY_CRASH_IMAGES").flatMap { Int(String(cString: $0)) } ?? 10_000

    private func options(gateways: Int = 1, seconds: Int64 = 8) -> RunOptions {
        var options = RunOptions()
        options.gateways = gateways
        options.seconds = seconds
        options.pace = 1
        return options
    }

    @Test("What a power cut leaves at any moment is started on, and keeps every promise that stood then")
    func keepsPromises() {
        var kit = PowerLoss()
        kit.wanted = Self.images
        kit.variety = 24
        var seed: UInt64 = 0
        while !kit.isDone {
            seed += 1
            let failures = kit.live(seed: seed, options: options(gateways: seed.isMultiple(of: 4) ? 3 : 1))
            #expect(failures.isEmpty, "the site of seed \(seed)")
        }
        for failure in kit.tally.failures { Issue.record("\(failure.trace), \(failure.moment): \(failure.failure)") }
        #expect(kit.tally.distinct >= Self.images)
        #expect(kit.tally.continued > Self.images / 20 && kit.tally.resumed > Self.images / 80)
    }

    @Test("A commit that is not synced is found out")
    func unsyncedCommit() {
        var planted = options()
        planted.bug = .unsyncedCommit
        var kit = PowerLoss()
        kit.live(seed: 3, options: planted)
        #expect(kit.tally.failures.first?.failure.rule == "P2")
    }

    @Test("A start that takes a torn block for a whole one is found out")
    func tornTailAccepted() {
        var kit = PowerLoss()
        kit.open = { (disk, options, random) throws(RingError) in
            let easy = AlteredDisk(disk) { Self.complete(&$0, options.geometry) }
            return try RingLog.open(disk: easy, options: options, using: &random)
        }
        kit.live(seed: 3, options: options())
        #expect(kit.tally.failures.first.map { ["P3", "P5"].contains($0.failure.rule) } == true)
    }

    @Test("A start that lets a torn block take the one before along is found out")
    func tooMuchCutOff() {
        var kit = PowerLoss()
        kit.open = { (disk, options, random) throws(RingError) in
            let hasty = AlteredDisk(disk) { Self.cutBeforeTornBlock(&$0, options.geometry) }
            return try RingLog.open(disk: hasty, options: options, using: &random)
        }
        kit.live(seed: 3, options: options())
        #expect(kit.tally.failures.first.map { ["P2", "P4", "P6"].contains($0.failure.rule) } == true)
    }

    @Test("A start that refuses what it does not like is found out")
    func refusedStart() {
        var kit = PowerLoss()
        kit.open = { (disk, options, random) throws(RingError) in
            let opened = try RingLog.open(disk: disk, options: options, using: &random)
            let isTorn = opened.report.findings.contains { if case .tornTail = $0 { true } else { false } }
            guard !isTorn else { throw .notARing("a block is torn") }
            return opened
        }
        kit.live(seed: 3, options: options())
        #expect(kit.tally.failures.first?.failure.rule == "P1")
    }

    // MARK: What planted bugs make of a segment

    private static func blocks(
        _ bytes: [UInt8], _ geometry: Geometry
    ) -> [(position: Int, state: BlockState)] {
        guard bytes.count == geometry.segmentBytes, let bits = storeBits(bytes) else { return [] }
        let store = StoreID(high: 0, low: UInt64(bits))
        return stride(from: Geometry.headerBytes, to: bytes.count, by: Geometry.unit).map { position in
            let limit = min(geometry.blockBytes, bytes.count - position) / Geometry.unit
            return (position, BlockState.read(bytes, at: position, store: store, limit: limit))
        }
    }

    private static func storeBits(_ bytes: [UInt8]) -> UInt32? {
        for position in stride(from: Geometry.headerBytes, to: bytes.count, by: Geometry.unit) {
            if let bits = BlockState.storeBits(Array(bytes[position..<position + Geometry.unit])) { return bits }
        }
        return nil
    }

    /// Gives every torn block the checksum of what is there.
    private static func complete(_ bytes: inout [UInt8], _ geometry: Geometry) {
        for case (let position, .broken) in blocks(bytes, geometry) {
            let payload = bytes[position + 32..<position + 36].reversed().reduce(0) { $0 << 8 | Int($1) }
            let end = position + BlockHeader.bytes + payload
            guard end <= bytes.count else { continue }
            let checksum = CRC32C.checksum(bytes, position + 8..<end)
            for byte in 0..<4 { bytes[position + 4 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(byte))) }
        }
    }

    private static func cutBeforeTornBlock(_ bytes: inout [UInt8], _ geometry: Geometry) {
        let found = blocks(bytes, geometry)
        guard let torn = found.firstIndex(where: { if case .broken = $0.state { true } else { false } }),
            let before = found[..<torn].last(where: { if case .whole = $0.state { true } else { false } })
        else { return }
        for index in before.position..<bytes.count { bytes[index] = 0 }
    }
}

/// Shows what another disk holds, altered.
private struct AlteredDisk: Disk {
    private let disk: any Disk
    private let alter: @Sendable (inout [UInt8]) -> Void

    init(_ disk: any Disk, _ alter: @escaping @Sendable (inout [UInt8]) -> Void) {
        self.disk = disk
        self.alter = alter
    }

    var size: Int { disk.size }

    func read(at position: Int, count: Int) throws(DiskError) -> [UInt8] {
        var bytes = try disk.read(at: position, count: count)
        alter(&bytes)
        return bytes
    }

    func write(_ bytes: [UInt8], at position: Int) throws(DiskError) { try disk.write(bytes, at: position) }
    func sync() throws(DiskError) { try disk.sync() }
    func dropCache() { disk.dropCache() }
}
