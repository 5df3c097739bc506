import LogFormat
package import Model
package import Sinks

// The second equation per stream. What is settled is counted reading by reading, what is stored by the first equation; what is left is
// pending. It is a check all the same: the sums over all streams must be what the sink's machine knows from offsets alone.
extension GatewayCore {
    /// The ledger's second equation of every stream at one sink, by device. Readings that came to an end without anybody knowing
    /// their stream stand under ``Ledger/unattributed``; the streams share what they are short of by their open readings, which is
    /// exact as soon as nothing is pending. `nil` where the account contradicts itself.
    package func streams(at sink: Int) -> [(device: DeviceID, counts: UploadCounts)]? {
        let account = sinks[sink].account
        guard var rows = openRows(account.streams) else { return nil }
        let open = rows.reduce(0) { $0 + $1.counts.pending }
        let unknown = account.unattributed.settled
        guard unknown > 0 else { return rows }
        guard unknown <= open else { return nil }
        share(unknown, of: open, among: &rows)
        var unattributed = account.unattributed
        unattributed.stored = unknown
        if let place = rows.firstIndex(where: { $0.device == Ledger.unattributed }) {
            rows[place].counts.add(unattributed)
        } else {
            rows.append((Ledger.unattributed, unattributed))
        }
        return rows
    }

    /// Every stream with what it stored and what is open of that. Where the first equation has stored readings of an unknown stream, some
    /// of those may turn out to be this one's. `nil` where more came to an end than was stored.
    func openRows(_ settled: [DeviceID: UploadCounts]) -> [(device: DeviceID, counts: UploadCounts)]? {
        let early = toldEarly
        var rows: [(device: DeviceID, counts: UploadCounts)] = []
        var short: UInt64 = 0
        for device in Set(ledger.devices).union(settled.keys).union(early.keys).sorted() {
            var counts = settled[device] ?? UploadCounts()
            counts.stored = ledger[device].stored + (early[device] ?? 0)
            if counts.settled > counts.stored {
                short += counts.settled - counts.stored
                counts.stored = counts.settled
            }
            counts.pending = counts.stored - counts.settled
            rows.append((device, counts))
        }
        guard short > 0 else { return rows }
        guard let place = rows.firstIndex(where: { $0.device == Ledger.unattributed }),
            rows[place].counts.pending >= short
        else { return nil }
        rows[place].counts.pending -= short
        rows[place].counts.stored -= short
        return rows
    }

    /// Takes `unknown` readings out of the streams' pending ones, from each by its part, whole readings only.
    private func share(
        _ unknown: UInt64, of open: UInt64, among rows: inout [(device: DeviceID, counts: UploadCounts)]
    ) {
        var rest = unknown
        for place in rows.indices {
            let product = rows[place].counts.pending.multipliedFullWidth(by: unknown)
            let part = open.dividingFullWidth(product).quotient
            rows[place].counts.pending -= part
            rows[place].counts.stored -= part
            rest -= part
        }
        for place in rows.indices where rest > 0 {
            let part = min(rest, rows[place].counts.pending)
            rows[place].counts.pending -= part
            rows[place].counts.stored -= part
            rest -= part
        }
    }

    /// Readings that the sinks know of before the stream counts do: while there is no disk, they go out from RAM.
    private var toldEarly: [DeviceID: UInt64] {
        guard let told else { return [:] }
        var counts: [DeviceID: UInt64] = [:]
        for entry in pending.prefix(while: { $0.offset < told.end }) {
            counts[entry.reading.series.device, default: 0] += 1
        }
        return counts
    }

    /// Whether both equations hold for every stream, and the second adds up to each sink's own counts.
    package var isBalanced: Bool { ledger.isBalanced && sinks.indices.allSatisfy { imbalance(at: $0) == nil } }

    /// What does not add up at a sink, in words; `nil` where all does.
    package func imbalance(at sink: Int) -> String? {
        let own = sinks[sink].machine.counts
        guard own.isBalanced else { return "sink \(sinks[sink].name): \(own)" }
        guard let rows = streams(at: sink) else {
            return "sink \(sinks[sink].name): more readings came to an end than were stored"
        }
        var sum = UploadCounts()
        for row in rows {
            guard row.counts.isBalanced else { return "sink \(sinks[sink].name), \(row.device): \(row.counts)" }
            sum.add(row.counts)
        }
        return sum == own ? nil : "sink \(sinks[sink].name): the streams add up to \(sum), the sink counts \(own)"
    }
}
