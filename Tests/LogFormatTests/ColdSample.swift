import Environment
import LogFormat
import Model

/// Blocks of a cold segment of their own, and what a reader of them needs.
struct ColdSample {
    var blocks: [EncodedBlock] = []
    private(set) var dictionary = SeriesDictionary()

    /// A reading and where it belongs.
    typealias Placed = (log: LogID, offset: UInt64, reading: Reading)

    init(_ placed: [Placed], geometry: Geometry = .standard) {
        var builder = ColdBuilder(dictionary: dictionary, geometry: geometry)
        for (log, offset, reading) in placed {
            while !builder.add(reading, log: log, offset: Offset(offset), room: 4 << 20, footerRuns: 0) {
                take(&builder, isLast: false)
            }
        }
        while !builder.isEmpty { take(&builder, isLast: true) }
        dictionary = builder.dictionary
    }

    init(_ readings: [Reading], first: UInt64 = 0, geometry: Geometry = .standard) {
        self.init(readings.enumerated().map { (log, first + UInt64($0), $1) }, geometry: geometry)
    }

    private mutating func take(_ builder: inout ColdBuilder, isLast: Bool) {
        let header = BlockHeader(
            kind: .cold, previous: blocks.last?.checksum ?? BlockHeader.chainStart(of: 9), generation: 9,
            index: blocks.count)
        guard let block = builder.takeBlock(header, store: store, room: 4 << 20, footerRuns: 0, isLast: isLast) else {
            preconditionFailure("the readings do not fit")
        }
        blocks.append(block)
    }

    /// What a reader of the segment gets, block by block.
    func decoded() throws -> [(log: LogID, offset: UInt64, reading: Reading?)] {
        var found: [(log: LogID, offset: UInt64, reading: Reading?)] = []
        for block in blocks {
            let frame = try frame(block.bytes)
            var readings = try frame.readings(dictionary.table)[...]
            for run in frame.runs {
                for (place, reading) in readings.prefix(run.count).enumerated() {
                    found.append((run.log, run.first.rawValue + UInt64(place), reading))
                }
                readings = readings.dropFirst(run.count)
            }
        }
        return found
    }

    /// Whether exactly `placed` comes back, bit by bit.
    func holds(_ placed: [Placed]) throws -> Bool {
        let found = try decoded().sorted { ($0.log, $0.offset) < ($1.log, $1.offset) }
        let given = placed.sorted { ($0.log, $0.offset) < ($1.log, $1.offset) }
        return found.count == given.count
            && zip(found, given).allSatisfy { found, given in
                found.log == given.log && found.offset == given.offset
                    && found.reading.map { isSame($0, given.reading) } == true
            }
    }
}

/// What a device says at one moment, some of it, in turns that are not quite regular: as real ones do and as nobody should.
struct ColdTrace {
    private var random: SeededRandom
    private var uptime: Int64 = 5_000_000
    private var offset: Int64 = 1_763_700_000_000_000

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    private static let texts = ["Online", "Offline", "", "größer ☀️", "e\u{301}", "\u{E9}"]
    private static let oddNumbers: [Double] = [
        0.0, -0.0, .nan, Double(bitPattern: 0x7FF0_0000_0000_0001), Double(bitPattern: 0xFFF8_1234_5678_9ABC),
        .infinity,
        -.infinity, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude,
        -.greatestFiniteMagnitude, 9_007_199_254_740_992, 9_007_199_254_740_994, -9_007_199_254_740_991, 0.1 + 0.2, .pi,
        1e-9, 123_456_789.123_456_789,
    ]

    private mutating func value(_ metric: Int) -> Value {
        switch metric {
        case 0: .number(Double(Int64(random.next() % 100) + 2000) / 100)
        case 1: .number(Double(Int64(random.next() % 3) + 320) * 0.0625)
        case 2: .flag(random.next() % 5 == 0)
        case 3: .text(Self.texts[Int(random.next() % UInt64(Self.texts.count))])
        case 4: .number(Self.oddNumbers[Int(random.next() % UInt64(Self.oddNumbers.count))])
        case 5: .number(Double(bitPattern: random.next()))
        case 6: .number(random.next() % 20 == 0 ? -0.0 : Double(random.next() % 9) / 10)
        default: [.flag(true), .text("x"), .number(3), .number(.nan)][Int(random.next() % 4)]
        }
    }

    /// So many messages of up to eight readings.
    mutating func readings(_ messages: Int) -> [Reading] {
        var readings: [Reading] = []
        for _ in 0..<messages {
            switch random.next() % 40 {
            case 0: uptime -= Int64(random.next() % 90_000_000)
            case 1: offset += Int64(random.next() % 7_200_000_000) - 3_600_000_000
            case 2: uptime = [0, -1, 1 << 60, -(1 << 60), 5_000_000][Int(random.next() % 5)]
            default: uptime += Int64(random.next() % 3_000_000)
            }
            let device = random.next() % 9
            let stamp = Stamp(
                boot: random.next() % 30 == 0 ? BootID(high: 8, low: 9) : boot, uptime: Microseconds(uptime),
                wallOffset: Microseconds(offset), isTrusted: random.next() % 7 != 0)
            let time: Int64? = random.next() % 3 == 0 ? uptime / 1000 + Int64(random.next() % 100) : nil
            let skipped = random.next() % 4 == 0 ? Int(random.next() % 8) : -1
            var metrics = device == 3 ? [5, 2, 7, 1, 1] : Array(0..<Int(1 + device % 8))
            if random.next() % 20 == 0 { metrics.reverse() }
            for metric in metrics where metric != skipped {
                readings.append(
                    Reading(
                        series: series("device-\(device)", "metric-\(metric)", metric == 0 ? "°C" : nil), stamp: stamp,
                        value: value(metric), quality: random.next() % 9 == 0 ? .bad : .good,
                        deviceTime: (random.next() % 50 == 0 ? .min : time).map { Milliseconds($0) }))
            }
        }
        return readings
    }
}
