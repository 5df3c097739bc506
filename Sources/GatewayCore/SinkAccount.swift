package import Model
package import Sinks

/// One sink's side of the ledger's second equation, stream by stream: what of each came to an end there, and how. The machine's own
/// counts come from ranges of offsets, these from the readings themselves, so that each is a check of the other.
package struct SinkAccount: Sendable {
    /// Settled readings of each stream; `stored` and `pending` stay zero here.
    package private(set) var streams: [DeviceID: UploadCounts] = [:]
    /// Settled readings of which nobody knows the stream.
    package private(set) var unattributed = UploadCounts()
    /// Whose readings the chunks under way hold; as many at most as those chunks have readings.
    private var known: [SendDevices] = []
    /// Not before the start has found out what is in the account already.
    private(set) var isOpen = false
    var checkpoint = AccountCheckpoint()

    package init() {}

    /// Begins with what the start found; the rest of `total` belongs to streams that nobody knows.
    mutating func open(_ found: [DeviceID: UploadCounts], total: UploadCounts) {
        streams = found
        unattributed = UploadCounts()
        let attributed = sum(of: found)
        for fate in total.fates { unattributed.add(total[fate] - attributed[fate], fate) }
        isOpen = true
    }

    /// A send was read, and its chunk is under way.
    mutating func learn(_ devices: SendDevices) {
        known.removeAll { $0.log == devices.log && $0.range == devices.range }
        known.append(devices)
    }

    mutating func forget(where isGone: (LogID, Range<Offset>) -> Bool) {
        known.removeAll { isGone($0.log, $0.range) }
    }

    /// Counts what the machine has settled, and returns the parts of which the stream is not known.
    mutating func settle(_ settled: SettledRange) -> [Range<Offset>] {
        var rest = [settled.range]
        for devices in known.reversed() where devices.log == settled.log && devices.range.overlaps(settled.range) {
            var left: [Range<Offset>] = []
            for piece in rest {
                let part = piece.clamped(to: devices.range)
                guard !part.isEmpty else {
                    left.append(piece)
                    continue
                }
                for (device, count) in devices.counts(in: part) { add(count, settled.fate, to: device) }
                if piece.lowerBound < part.lowerBound { left.append(piece.lowerBound..<part.lowerBound) }
                if part.upperBound < piece.upperBound { left.append(part.upperBound..<piece.upperBound) }
            }
            rest = left
        }
        let count = settled.range.lowerBound.distance(to: settled.range.upperBound)
        checkpoint.settled += count
        for piece in rest { unattributed.add(UInt64(piece.lowerBound.distance(to: piece.upperBound)), settled.fate) }
        return rest
    }

    /// So many readings are pending again, all of them among these streams'. Which of the streams is not known for sure where fewer are than
    /// came back: those that had met this end come first, in their order.
    mutating func reopen(_ count: UInt64, _ fate: UploadFate, of devices: [DeviceID: Int]) {
        var rest = count
        for device in devices.keys.sorted() where rest > 0 {
            let taken = streams[device]?.take(min(rest, UInt64(devices[device] ?? 0)), fate) ?? 0
            if taken > 0 { checkpoint.changed.insert(device) }
            rest -= taken
        }
        rest -= unattributed.take(rest, fate)
        for device in streams.keys.sorted() where rest > 0 {
            let taken = streams[device]?.take(rest, fate) ?? 0
            if taken > 0 { checkpoint.changed.insert(device) }
            rest -= taken
        }
        // The records on the disk say more than is so: written anew at once.
        checkpoint.takenAt = nil
    }

    /// It has turned out that so many of the unattributed readings were this stream's.
    mutating func attribute(_ count: UInt64, _ fate: UploadFate, to device: DeviceID) {
        add(unattributed.take(count, fate), fate, to: device)
    }

    private mutating func add(_ count: UInt64, _ fate: UploadFate, to device: DeviceID) {
        guard count > 0 else { return }
        streams[device, default: UploadCounts()].add(count, fate)
        checkpoint.changed.insert(device)
    }

    private func sum(of streams: [DeviceID: UploadCounts]) -> UploadCounts {
        streams.keys.sorted().reduce(into: UploadCounts()) { sum, device in streams[device].map { sum.add($0) } }
    }

    /// Of all streams together, the unknown ones included.
    var total: UploadCounts {
        var total = sum(of: streams)
        total.add(unattributed)
        return total
    }
}
