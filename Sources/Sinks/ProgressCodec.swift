import Model

/// Why stored progress could not be read. What it stood for is sent again, and the sink removes the doubles.
package enum ProgressError: Error, Hashable, Sendable {
    case truncated
    case unknownVersion(UInt8)
    /// The bytes are well formed and contradict each other; says how.
    case inconsistent(String)
}

/// Progress of one log at one sink, as it is kept in the ring's blocks: some ten bytes in steady state.
///
/// | field | form |
/// |---|---|
/// | version | one byte, 1 |
/// | watermark, refused, damaged | varint each; the counts are those below the watermark |
/// | reasons | varint count, then length, UTF-8, varint count below the watermark |
/// | runs | varint count, then per run: distance from the end of the one before, length, kind (0 uploaded, 1 refused, 2 damaged, 3… reason) |
/// | names | varint count, then offsets of the refused readings told last, as distances |
enum ProgressCodec {
    static let version: UInt8 = 1
    /// Islands above the watermark that the machine makes at most: what a restart must remember stays small.
    static let islands = 16
    /// Refused readings and gaps cut islands into runs; what lies beyond this many is sent again after a restart.
    static let runs = 128
    /// Refused readings that keep their name over a restart.
    static let names = 16
    /// No log lives long enough to reach this; keeps sums from overflowing.
    static let greatest: UInt64 = 1 << 60

    struct Progress: Hashable {
        var settlements = Settlements()
        var refused: [Offset] = []
    }

    static func encode(_ progress: Progress) -> [UInt8] {
        let settlements = progress.settlements
        let kept = settlements.runs.prefix(runs)
        var reasons = settlements.prefix.evicted
        for case .evicted(let reason) in kept.map(\.kind) where !reasons.contains(where: { $0.reason == reason }) {
            reasons.append(EvictionCount(reason: reason, count: 0))
        }
        var bytes = [version]
        bytes.append(varint: settlements.watermark.rawValue)
        bytes.append(varint: settlements.prefix.refused)
        bytes.append(varint: settlements.prefix.damaged)
        bytes.append(reasons)
        bytes.append(varint: UInt64(kept.count))
        var end = settlements.watermark
        for run in kept {
            bytes.append(varint: UInt64(end.distance(to: run.range.lowerBound)))
            bytes.append(varint: UInt64(run.range.count))
            bytes.append(varint: code(of: run.kind, in: reasons))
            end = run.range.upperBound
        }
        let names = progress.refused.filter { $0 < end }.sorted().suffix(names)
        bytes.append(varint: UInt64(names.count))
        var last: UInt64 = 0
        for name in names {
            bytes.append(varint: name.rawValue - last)
            last = name.rawValue
        }
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(ProgressError) -> Progress {
        var reader = ByteReader(bytes)
        try reader.version(version)
        let watermark = try reader.varint()
        let refused = try reader.varint()
        let damaged = try reader.varint()
        let reasons = try reader.reasons()
        guard
            var settlements = Settlements(
                watermark: Offset(watermark), refused: refused, damaged: damaged, evicted: reasons)
        else { throw .inconsistent("more readings lost than lie below the watermark \(watermark)") }
        var end = watermark
        for _ in 0..<(try reader.count(upTo: runs, of: "runs")) {
            let start = end + (try reader.varint())
            end = start + (try reader.varint())
            let kind = try kind(of: reader.varint(), in: reasons)
            guard start > watermark, start < end, end <= greatest else {
                throw .inconsistent("run \(start)..<\(end) above the watermark \(watermark)")
            }
            settlements.settle(Offset(start)..<Offset(end), as: kind)
        }
        var names: [Offset] = []
        var last: UInt64 = 0
        for _ in 0..<(try reader.count(upTo: ProgressCodec.names, of: "names")) {
            last += try reader.varint()
            guard last < end else { throw .inconsistent("refused reading \(last) at or above \(end)") }
            names.append(Offset(last))
        }
        try reader.end()
        return Progress(settlements: settlements, refused: names)
    }

    private static func code(of kind: Settlements.Kind, in reasons: [EvictionCount]) -> UInt64 {
        switch kind {
        case .uploaded: 0
        case .refused: 1
        case .damaged: 2
        case .evicted(let reason): 3 + UInt64(reasons.firstIndex { $0.reason == reason } ?? 0)
        }
    }

    private static func kind(
        of code: UInt64, in reasons: [EvictionCount]
    ) throws(ProgressError) -> Settlements.Kind {
        switch code {
        case 0: return .uploaded
        case 1: return .refused
        case 2: return .damaged
        default:
            guard code - 3 < UInt64(reasons.count) else { throw .inconsistent("no reason \(code - 3)") }
            return .evicted(reason: reasons[Int(code - 3)].reason)
        }
    }
}

/// Totals of the logs that are forgotten: the same counts, without ranges.
enum TotalsCodec {
    /// No gateway lives to count so far; keeps sums over all streams from overflowing.
    static let greatest: UInt64 = 1 << 44

    static func encode(_ counts: UploadCounts) -> [UInt8] {
        var bytes = [ProgressCodec.version]
        bytes.append(varint: counts.uploaded)
        bytes.append(varint: counts.refused)
        bytes.append(varint: counts.damaged)
        bytes.append(counts.evicted)
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(ProgressError) -> UploadCounts {
        var reader = ByteReader(bytes)
        try reader.version(ProgressCodec.version)
        var counts = UploadCounts()
        counts.uploaded = try reader.varint()
        counts.refused = try reader.varint()
        counts.damaged = try reader.varint()
        for entry in try reader.reasons() { counts.addEvicted(entry.count, reason: entry.reason) }
        try reader.end()
        guard counts.fates.allSatisfy({ counts[$0] <= greatest }) else {
            throw .inconsistent("a count beyond \(greatest)")
        }
        counts.stored = counts.settled
        return counts
    }
}

extension UploadCounts {
    /// What is settled here, in stored form: some ten bytes.
    package var settledRecord: [UInt8] { TotalsCodec.encode(self) }

    /// Reads that form back; `nil` for anything else. ``stored`` and ``pending`` are zero.
    package init?(settledRecord bytes: some Sequence<UInt8>) {
        guard let counts = try? TotalsCodec.decode(Array(bytes)) else { return nil }
        self = counts
        stored = 0
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ reasons: [EvictionCount]) {
        append(varint: UInt64(reasons.count))
        for entry in reasons {
            append(varint: UInt64(entry.reason.utf8.count))
            append(contentsOf: entry.reason.utf8)
            append(varint: entry.count)
        }
    }
}

/// Reads a form of the codec; every way to fail is thrown.
private struct ByteReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    mutating func byte() throws(ProgressError) -> UInt8 {
        guard let byte = rest.popFirst() else { throw .truncated }
        return byte
    }

    mutating func version(_ expected: UInt8) throws(ProgressError) {
        let version = try byte()
        guard version == expected else { throw .unknownVersion(version) }
    }

    /// At most ``ProgressCodec/greatest``, so that sums of a few do not overflow.
    mutating func varint() throws(ProgressError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 63, by: 7) {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 {
                guard value <= ProgressCodec.greatest else { break }
                return value
            }
        }
        throw .inconsistent("a number beyond \(ProgressCodec.greatest)")
    }

    mutating func count(upTo limit: Int, of what: String) throws(ProgressError) -> Int {
        let count = try varint()
        guard count <= UInt64(limit) else { throw .inconsistent("\(count) \(what), at most \(limit)") }
        return Int(count)
    }

    mutating func reasons() throws(ProgressError) -> [EvictionCount] {
        var reasons: [EvictionCount] = []
        for _ in 0..<(try count(upTo: UploadCounts.reasons, of: "reasons")) {
            let length = try count(upTo: UploadCounts.reasonBytes, of: "bytes of a reason")
            guard rest.count >= length else { throw .truncated }
            guard let reason = String(validating: rest.prefix(length), as: UTF8.self) else {
                throw .inconsistent("a reason that is not UTF-8")
            }
            rest = rest.dropFirst(length)
            reasons.append(EvictionCount(reason: reason, count: try varint()))
        }
        return reasons
    }

    func end() throws(ProgressError) {
        guard rest.isEmpty else { throw .inconsistent("\(rest.count) bytes behind the end") }
    }
}
