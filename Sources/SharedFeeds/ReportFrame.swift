// Pure.
import Model

/// What one gateway tells another about messages that it took.
///
/// | field | form |
/// |---|---|
/// | to | 8 bytes: the epoch of the reader that it is for |
/// | reporter | 8 bytes: random for each process and broker |
/// | flags | bit 0: handed over; bit 1: covered |
/// | first, count | varint each: reports are numbered from 0 |
/// | reports | 8 bytes of key, varint age in milliseconds |
/// | more | ignored: fields of later versions |
///
/// Total: arbitrary bytes give `nil`, never a trap.
struct ReportFrame: Hashable {
    struct Report: Hashable {
        let key: MessageKey
        /// Since its arrival at the reporter.
        let age: UInt64
    }

    let to: UInt64
    let reporter: UInt64
    /// All that the reporter took before it knew of that epoch is in this frame or in earlier ones.
    let handsOver: Bool
    /// The reporter has read without a break since before the reader was there last.
    let covers: Bool
    let first: UInt64
    let reports: [Report]

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(40 + 12 * reports.count)
        bytes.append(fixed: to)
        bytes.append(fixed: reporter)
        bytes.append((handsOver ? 1 : 0) | (covers ? 2 : 0))
        bytes.append(varint: first)
        bytes.append(varint: UInt64(reports.count))
        for report in reports {
            bytes.append(fixed: report.key.rawValue)
            bytes.append(varint: report.age)
        }
        return bytes
    }

    init(to: UInt64, reporter: UInt64, handsOver: Bool, covers: Bool, first: UInt64, reports: [Report]) {
        self.to = to
        self.reporter = reporter
        self.handsOver = handsOver
        self.covers = covers
        self.first = first
        self.reports = reports
    }

    init?(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard let read = try? Self.read(&reader) else { return nil }
        self = read
    }

    private static func read(_ reader: inout ByteReader) throws(FormatError) -> ReportFrame {
        let to = try reader.fixed(UInt64.self)
        let reporter = try reader.fixed(UInt64.self)
        let flags = try reader.byte()
        let first = try reader.varint()
        guard first < 1 << 62 else { throw .invalid("first") }
        var reports: [Report] = []
        for _ in 0..<(try reader.count(limit: SharedFeedLimits.frameReports, "reports")) {
            let key = MessageKey(rawValue: try reader.fixed(UInt64.self))
            // A year: beyond, sums of times would overflow.
            reports.append(Report(key: key, age: min(try reader.varint(), 31_536_000_000)))
        }
        return ReportFrame(
            to: to, reporter: reporter, handsOver: flags & 1 != 0, covers: flags & 2 != 0, first: first,
            reports: reports)
    }
}
