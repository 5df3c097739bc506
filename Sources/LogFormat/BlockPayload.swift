import Model

/// Raw values are part of the stored format. Readers pass unknown sections over.
enum Section: UInt8 {
    case runs = 1
    case definitions = 2
    case records = 3
    /// Of blocks before format 4.
    case singleMarks = 4
    case contexts = 5
    case contextColumn = 6
    case seriesColumn = 7
    case timeColumn = 8
    case valueColumn = 9
    case qualityColumn = 10
    case deviceTimeColumn = 11
    /// Of blocks before format 4.
    case singleRepeatedMarks = 12
    /// The sum of the checks of all series that the readings name (``SeriesTable``): four bytes. With other definitions than the writer had,
    /// as a stale block in the place of a lost one brings them, readings would get wrong names; so they get none.
    case names = 13
    /// All readings, by series (``ColdBuilder``), in the place of the columns of series, times, values, qualities and device times.
    case groups = 14
    case marks = 15
    case repeatedMarks = 16
    /// Other sections that readings are told with, deflated (``PackedPayload``).
    case squeezedColumns = 17
    /// In the place of ``seriesColumn``: an ``IntegerColumn``.
    case packedSeries = 18
    /// In the place of ``timeColumn``: an ``IntegerColumn``.
    case packedTimes = 19
    /// Sections beside the readings, deflated.
    case squeezedRecords = 20

    /// Not needed by those who read readings alone, and have the segment's dictionary.
    var isBesideReadings: Bool {
        switch self {
        case .definitions, .records, .marks, .repeatedMarks, .singleMarks, .singleRepeatedMarks,
            .squeezedRecords:
            true
        default: false
        }
    }
}

/// What several readings share of their stamps.
struct ClockContext: Hashable {
    let boot: BootID
    let wallOffset: Microseconds
    let isTrusted: Bool

    /// Readers refuse more, 70,000 years, so that adding two of them cannot overflow.
    static let mostMicroseconds: UInt64 = 1 << 61
}

/// Parts of a block that both of its forms have.
enum BlockPayload {
    /// An empty section is left out.
    static func append(_ section: Section, _ bytes: [UInt8], to block: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        block.append(section.rawValue)
        block.append(blob: bytes)
    }

    static func names(_ sum: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(fixed: sum)
        return bytes
    }

    static func runs(_ runs: [Run]) -> [UInt8] {
        var bytes: [UInt8] = []
        for run in runs { run.write(to: &bytes) }
        return bytes
    }

    static func contexts(_ contexts: [ClockContext]) -> [UInt8] {
        var bytes: [UInt8] = []
        var last: ClockContext?
        for context in contexts {
            let sameBoot = context.boot == last?.boot
            bytes.append((context.isTrusted ? 1 : 0) | (sameBoot ? 2 : 0))
            if !sameBoot {
                bytes.append(fixed: context.boot.high)
                bytes.append(fixed: context.boot.low)
            }
            bytes.append(signed: context.wallOffset.rawValue &- (last?.wallOffset.rawValue ?? 0))
            last = context
        }
        return bytes
    }
}

extension [Run] {
    /// Adds one reading, to the last run where it goes on there.
    @inline(__always)
    mutating func extend(log: LogID, offset: Offset, wall: Milliseconds, isTrusted: Bool) {
        let last = count - 1
        if last >= 0, self[last].log == log, self[last].first.rawValue + UInt64(self[last].count) == offset.rawValue {
            self[last].count += 1
            if wall < self[last].earliest { self[last].earliest = wall }
            if wall > self[last].latest { self[last].latest = wall }
            if !isTrusted { self[last].isTrusted = false }
        } else {
            append(Run(log: log, first: offset, count: 1, earliest: wall, latest: wall, isTrusted: isTrusted))
        }
    }
}
