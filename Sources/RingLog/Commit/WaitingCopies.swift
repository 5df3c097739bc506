import LogFormat
import Model

/// Readings of other logs that are in RAM only, in the order in which they came. Their offsets may come in any order.
struct WaitingCopies: Sendable {
    struct Item: Sendable {
        let log: LogID
        let first: Offset
        let readings: [Reading]
        /// What it is reckoned at.
        let bytes: Int

        var range: Range<Offset> { first..<first.advanced(by: readings.count) }
    }

    /// Readings of one piece at most: a block with some room left takes a few pieces more.
    static let pieceReadings = 64

    private var items: [Item] = []
    private var start = 0
    private(set) var bytes = 0
    private(set) var readings = 0
    /// What waits or is on its way, by log: the same is not taken in twice.
    private var ranges: [LogID: OffsetRanges] = [:]

    var isEmpty: Bool { start == items.count }
    var first: Item? { isEmpty ? nil : items[start] }

    func contains(_ log: LogID) -> Bool { ranges[log] != nil }

    /// What of the range neither waits nor is on its way.
    func missing(_ log: LogID, in range: Range<UInt64>) -> [Range<UInt64>] {
        ranges[log]?.missing(in: range) ?? [range]
    }

    mutating func append(_ item: Item) {
        items.append(item)
        bytes += item.bytes
        readings += item.readings.count
        ranges[item.log, default: OffsetRanges()].insert(item.first.rawValue, item.range.upperBound.rawValue)
    }

    /// Its range stays taken until ``forget(_:)``.
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

    mutating func forget(_ item: Item) {
        ranges[item.log]?.remove(item.first.rawValue, item.range.upperBound.rawValue)
        if ranges[item.log]?.isEmpty ?? false { ranges[item.log] = nil }
    }

    mutating func putBack(_ taken: [Item]) {
        items.replaceSubrange(..<start, with: taken)
        start = 0
        for item in taken {
            bytes += item.bytes
            readings += item.readings.count
        }
    }
}
