import LogFormat
import Model
package import Sinks

/// One sink as the core knows it: what it is called, whether its receipts free the ring, and how far it is.
package struct SinkState: Sendable {
    package let name: String
    /// Nothing may leave the ring before a required sink has it.
    package let isRequired: Bool
    package var machine: UploadMachine
    /// What came to an end here, by stream.
    package internal(set) var account = SinkAccount()
    /// Forgotten logs that the totals took in last: their progress may still be found.
    var absorbed: [LogID] = []
    /// Logs of others that the machine knows.
    var relayed: Set<LogID> = []

    package init(name: String, isRequired: Bool, settings: UploadSettings) {
        self.name = name
        self.isRequired = isRequired
        machine = UploadMachine(settings: settings)
    }

    func progressKey(_ log: LogID, isCopy: Bool = false) -> StateKey {
        StateKey(isCopy ? StateKind.copyProgress : StateKind.progress, "\(log)/\(name)")
    }
    var totalsKey: StateKey { StateKey(StateKind.totals, name) }
    var totals: [UInt8] { SinkTotals(recent: absorbed, counts: machine.encodedTotals()).bytes }
}

/// The name of a progress record, read back.
struct ProgressName: Hashable {
    let log: LogID
    let sink: String

    init?(_ text: String) {
        guard let slash = text.firstIndex(of: "/"), let log = LogID(hex: text[..<slash]) else { return nil }
        self.log = log
        sink = String(text[text.index(after: slash)...])
    }
}

/// The stored form of a sink's totals: a count, so many log ids of 8 bytes each, and what the upload machine makes of its counts.
struct SinkTotals: Hashable {
    var recent: [LogID] = []
    var counts: [UInt8] = []

    /// Logs forgotten at one start at most; with the counts they must fit one record. A start adds one log, so that is enough.
    static let mostRecent = 16

    init(recent: [LogID], counts: [UInt8]) {
        self.recent = recent
        self.counts = counts
    }

    /// Total: what is too short has no recent logs, and counts that their owner refuses.
    init(_ bytes: [UInt8]) {
        guard let count = bytes.first, count <= Self.mostRecent, bytes.count > Int(count) * 8 else { return }
        for place in 0..<Int(count) {
            let value = bytes[(1 + place * 8)..<(9 + place * 8)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            recent.append(LogID(value))
        }
        counts = Array(bytes[(1 + Int(count) * 8)...])
    }

    var bytes: [UInt8] {
        var bytes = [UInt8(recent.count)]
        for log in recent {
            for shift in stride(from: 0, to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: log.rawValue >> UInt64(shift)))
            }
        }
        return bytes + counts
    }
}

/// The kinds of state records that ride in the ring's blocks. Raw values are part of the stored format.
enum StateKind {
    /// Name: device. ``StreamCounts``.
    static let stream: UInt8 = 1
    /// Name: `LOG/SINK`. The upload progress of one log.
    static let progress: UInt8 = 2
    /// Name: sink. Counts of logs that are forgotten.
    static let totals: UInt8 = 3
    /// Name: empty. Where the stream counts were taken: readings from there on are not in them yet.
    static let ledgerPosition: UInt8 = 4
    /// Name: broker. How often its session was lost.
    static let session: UInt8 = 5
    /// Name: empty. The node id, 32 hexadecimal digits.
    static let node: UInt8 = 6
    /// Name: empty. The gateway's name, UTF-8.
    static let name: UInt8 = 7
    /// Name: sink. The moments that the records of its account were taken at. Sorts before those, and behind progress.
    static let checkpoint: UInt8 = 8
    /// Name: ``AccountName``. What came to an end of one stream at one sink.
    static let account: UInt8 = 9
    /// Name: empty. The incarnation that membership used last, a varint.
    static let incarnation: UInt8 = 10
    /// Name: log. Ranges of a copy that others rely on.
    static let hold: UInt8 = 11
    /// Name: log. The node id under which this ring wrote it, where that is no longer this gateway's.
    static let formerNode: UInt8 = 12
    /// Name: `LOG/SINK`. The upload progress of a copy.
    static let copyProgress: UInt8 = 13
    /// Name: empty. ``Wear``, up to when it was put.
    static let wear: UInt8 = 14
}
