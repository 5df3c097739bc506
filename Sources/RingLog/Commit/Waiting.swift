import LogFormat
import Model

/// Entries that are in RAM only, in the order of their offsets.
struct Waiting: Sendable {
    struct Item: Sendable {
        let readings: [Reading]
        let mark: DeliveryMark?
        let first: Offset
        /// What it is reckoned at.
        let bytes: Int
    }

    private var items: [Item] = []
    /// Items before this have been taken; moved up only now and then, so that taking costs nothing.
    private var start = 0
    private(set) var bytes = 0
    private(set) var readings = 0
    private(set) var marks: Set<DeliveryMark> = []

    var isEmpty: Bool { start == items.count }
    var all: ArraySlice<Item> { items[start...] }
    var first: Item? { isEmpty ? nil : items[start] }

    mutating func append(_ item: Item) {
        items.append(item)
        bytes += item.bytes
        readings += item.readings.count
        if let mark = item.mark { marks.insert(mark) }
    }

    /// The mark stays known until ``forget(_:)``.
    mutating func removeFirst() -> Item {
        let item = items[start]
        start += 1
        bytes -= item.bytes
        readings -= item.readings.count
        if start > 1024, start * 2 > items.count {
            items.removeSubrange(..<start)
            start = 0
        }
        return item
    }

    mutating func forget(_ mark: DeliveryMark) { marks.remove(mark) }

    mutating func putBack(_ taken: [Item]) {
        items.replaceSubrange(..<start, with: taken)
        start = 0
        for item in taken {
            bytes += item.bytes
            readings += item.readings.count
        }
    }

    /// Items that end at or before `offset`.
    mutating func removeAll(below offset: Offset) -> [Item] {
        var taken: [Item] = []
        while let item = first, item.first.advanced(by: item.readings.count) <= offset { taken.append(removeFirst()) }
        for item in taken { item.mark.map { forget($0) } }
        return taken
    }
}

/// Lets a stamp keep the wall offset of those before it while it moved by no more than 1 ms: what a reading says of the wall
/// clock is settled once, before it is stored, and every encoding afterwards is exact.
struct SteadyClock: Sendable {
    private var last: [Stamp] = []
    private static let slack: Int64 = 1000

    mutating func settled(_ reading: Reading) -> Reading {
        let stamp = reading.stamp
        guard let index = last.firstIndex(where: { $0.boot == stamp.boot && $0.isTrusted == stamp.isTrusted }) else {
            // Two clocks, trusted and not yet, of this boot and perhaps of one simulated beside it.
            if last.count >= 4 { last.removeFirst() }
            last.append(stamp)
            return reading
        }
        let known = last[index].wallOffset
        if known == stamp.wallOffset { return reading }
        guard (known.rawValue &- stamp.wallOffset.rawValue).magnitude <= UInt64(Self.slack) else {
            last[index] = stamp
            return reading
        }
        let settled = Stamp(boot: stamp.boot, uptime: stamp.uptime, wallOffset: known, isTrusted: stamp.isTrusted)
        return Reading(
            series: reading.series, stamp: settled, value: reading.value, quality: reading.quality,
            deviceTime: reading.deviceTime)
    }
}
