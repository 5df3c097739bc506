import Model

// The stored form of the ledger: varints and short words. Total: arbitrary bytes give `nil`, never a trap.

/// One stream's counts with the place that they were taken at: streams are written one by one, and a crash may come in between.
struct StreamRecord: Hashable {
    /// `received` is not stored: what was waiting died with the process, so after a restart it is what was settled.
    var counts: StreamCounts
    /// `nil` where no reading had ever been stored.
    var position: LedgerPosition?

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(varint: counts.stored)
        bytes.append(varint: counts.duplicate)
        for reasons in [counts.rejected, counts.dropped] {
            bytes.append(varint: UInt64(reasons.entries.count))
            for entry in reasons.entries {
                bytes.append(UInt8(min(entry.reason.utf8.count, 255)))
                bytes.append(contentsOf: entry.reason.utf8.prefix(255))
                bytes.append(varint: entry.count)
            }
        }
        return bytes + (position?.record ?? [])
    }

    init(counts: StreamCounts, position: LedgerPosition?) {
        self.counts = counts
        self.position = position
    }

    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard let stored = takeVarint(&rest), stored <= greatestCount, let duplicate = takeVarint(&rest),
            duplicate <= greatestCount, let rejected = ReasonCounts(&rest),
            let dropped = ReasonCounts(&rest), rest.isEmpty || LedgerPosition(record: Array(rest)) != nil
        else { return nil }
        counts = StreamCounts()
        counts.stored = stored
        counts.duplicate = duplicate
        counts.rejected = rejected
        counts.dropped = dropped
        counts.received = counts.settled
        position = LedgerPosition(record: Array(rest))
    }
}

/// No stream lives to count so far; keeps sums of damaged records from overflowing.
private let greatestCount: UInt64 = 1 << 48

extension ReasonCounts {
    /// Reasons are words of this program; more than this is damage.
    private static let maximumReasons: UInt64 = 64

    fileprivate init?(_ rest: inout ArraySlice<UInt8>) {
        self.init()
        guard let count = takeVarint(&rest), count <= Self.maximumReasons else { return nil }
        for _ in 0..<count {
            guard let length = rest.popFirst(), rest.count >= Int(length) else { return nil }
            let reason = String(decoding: rest.prefix(Int(length)), as: UTF8.self)
            rest = rest.dropFirst(Int(length))
            guard let value = takeVarint(&rest), value <= greatestCount else { return nil }
            add(value, for: reason)
        }
    }
}

/// Where the stream counts were taken: all readings of `log` below `offset`, and of every older log, are in them.
struct LedgerPosition: Hashable {
    let log: LogID
    let offset: Offset

    var record: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(varint: log.rawValue)
        bytes.append(varint: offset.rawValue)
        return bytes
    }

    init(log: LogID, offset: Offset) {
        self.log = log
        self.offset = offset
    }

    init?(record: [UInt8]) {
        var rest = record[...]
        guard let log = takeVarint(&rest), let offset = takeVarint(&rest) else { return nil }
        self.init(log: LogID(log), offset: Offset(offset))
    }
}

func takeVarint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while shift < 64, let byte = bytes.popFirst() {
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { return value }
        shift += 7
    }
    return nil
}
