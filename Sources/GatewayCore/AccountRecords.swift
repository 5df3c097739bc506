import Model
import Sinks

// The stored form of the sinks' accounts. Total: arbitrary bytes give `nil`, never a trap.
//
// Accounts are written now and then, not with every block: a start reads again what came to an end since. For that it must know which
// readings a record counts already. All records of one checkpoint bear its number and count what had come to an end at its moment; the
// moments themselves are kept in a record of their own, which is written before them. A stream without a record of the latest number
// has either none of the readings in between, or a record that did not become durable; reading them again serves both.

/// Which readings had come to an end at one sink at one moment.
struct Frontier: Hashable {
    struct Log: Hashable {
        let log: LogID
        /// Ascending, disjoint.
        let settled: [Range<UInt64>]
    }

    /// Logs up to this one, in the order of their age, that are not listed had come to an end wholly; later ones not at all.
    var newest: LogID?
    var logs: [Log] = []

    /// - Parameter age: The logs that are known now, oldest first.
    func settled(of log: LogID, among age: [LogID]) -> [Range<UInt64>] {
        if let listed = logs.first(where: { $0.log == log }) { return listed.settled }
        guard let newest, let last = age.firstIndex(of: newest), let own = age.firstIndex(of: log), own <= last else {
            return []
        }
        return [0..<UInt64.max]
    }
}

/// A checkpoint's number and moment.
struct AccountMoment: Hashable {
    var number: UInt64 = 0
    var frontier = Frontier()
}

/// The record of a sink's moments, oldest first: that of the last complete checkpoint and those behind it.
struct MomentsRecord: Hashable {
    /// Checkpoints that did not become complete are few: each restart may leave one.
    static let most = 4

    var moments: [AccountMoment]

    init(_ moments: [AccountMoment]) {
        self.moments = moments
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(varint: UInt64(moments.count))
        for moment in moments {
            bytes.append(varint: moment.number)
            bytes.append(moment.frontier.newest == nil ? 0 : 1)
            if let newest = moment.frontier.newest { bytes.append(fixed: newest.rawValue) }
            bytes.append(varint: UInt64(moment.frontier.logs.count))
            for log in moment.frontier.logs {
                bytes.append(fixed: log.log.rawValue)
                bytes.append(varint: UInt64(log.settled.count))
                var end: UInt64 = 0
                for range in log.settled {
                    bytes.append(varint: range.lowerBound - end)
                    bytes.append(varint: range.upperBound - range.lowerBound)
                    end = range.upperBound
                }
            }
        }
        return bytes
    }

    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard let count = takeVarint(&rest), (1...UInt64(Self.most)).contains(count) else { return nil }
        moments = []
        for _ in 0..<count {
            guard let moment = AccountMoment(&rest), moments.last.map({ $0.number < moment.number }) ?? true else {
                return nil
            }
            moments.append(moment)
        }
        guard rest.isEmpty else { return nil }
    }
}

extension AccountMoment {
    /// No log lives long enough to reach this; keeps sums from overflowing.
    private static let greatest: UInt64 = 1 << 60

    fileprivate init?(_ rest: inout ArraySlice<UInt8>) {
        guard let number = takeVarint(&rest), number < Self.greatest, let hasNewest = rest.popFirst(), hasNewest <= 1
        else { return nil }
        self.number = number
        if hasNewest == 1 {
            guard let newest = takeFixed(&rest) else { return nil }
            frontier.newest = LogID(newest)
        }
        // Each takes some bytes, so that counts which lie end at the record's end.
        guard let logs = takeVarint(&rest) else { return nil }
        for _ in 0..<min(logs, UInt64(rest.count) + 1) {
            guard let log = takeFixed(&rest), let count = takeVarint(&rest) else { return nil }
            var ranges: [Range<UInt64>] = []
            var end: UInt64 = 0
            for _ in 0..<min(count, UInt64(rest.count) + 1) {
                guard let gap = takeVarint(&rest), let length = takeVarint(&rest), gap < Self.greatest,
                    length < Self.greatest, end < Self.greatest, length > 0
                else { return nil }
                ranges.append(end + gap..<end + gap + length)
                end += gap + length
            }
            frontier.logs.append(Frontier.Log(log: LogID(log), settled: ranges))
        }
    }
}

/// One stream's settled readings at one sink, as of the checkpoint with that number.
struct AccountRecord: Hashable {
    var number: UInt64
    var counts: UploadCounts

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(varint: number)
        return bytes + counts.settledRecord
    }

    init(number: UInt64, counts: UploadCounts) {
        self.number = number
        self.counts = counts
    }

    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard let number = takeVarint(&rest), let counts = UploadCounts(settledRecord: rest) else { return nil }
        self.init(number: number, counts: counts)
    }
}

/// The name of an account's record: no device has a line break in its name.
struct AccountName: Hashable {
    let sink: String
    let device: DeviceID

    var text: String { sink + "\n" + device.rawValue }

    init(sink: String, device: DeviceID) {
        self.sink = sink
        self.device = device
    }

    init?(_ text: String) {
        guard let end = text.lastIndex(of: "\n") else { return nil }
        sink = String(text[..<end])
        device = DeviceID(String(text[text.index(after: end)...]))
    }
}

private func takeFixed(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    guard bytes.count >= 8 else { return nil }
    defer { bytes = bytes.dropFirst(8) }
    return bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
}
