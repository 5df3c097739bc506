import Model
import Synchronization

/// The series that all devices together may have: each costs a place in indexes and in every segment.
package final class SeriesBudget: Sendable {
    private let limit: Int
    private let used = Atomic<Int>(0)

    package init(limit: Int = Limits.series) {
        self.limit = limit
    }

    package var count: Int { used.load(ordering: .relaxed) }

    /// `true` where there was room for one more.
    package func claim() -> Bool {
        if used.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        used.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    /// Gives back what a device that is no more had claimed.
    package func release(_ count: Int) {
        used.wrappingSubtract(count, ordering: .relaxed)
    }
}

/// One device's series, each made once, so that its readings share their strings. Messages of a device look alike: the series that
/// followed last time is tried first, and hashing is for the others.
struct SeriesTable: Sendable {
    struct Slot: Sendable {
        let series: Series
        var latest: Reading?
        /// Which slot followed in the message before.
        fileprivate var next = 0
    }

    private struct Key: Hashable {
        let metric: String
        let unit: String?
    }

    enum Finding {
        case slot(Int)
        /// A new series; where its metric had another unit before, the slot of that.
        case added(Int, changedFrom: Int?)
        case rejected(Rejection)
    }

    let device: DeviceID
    private let budget: SeriesBudget
    private(set) var slots: [Slot] = []
    private var index: [Key: Int] = [:]
    private var latestOfMetric: [String: Int] = [:]
    private var first = 0

    /// One device that names new metrics for ever must not use up what all share.
    static let limit = 1024

    init(device: DeviceID, budget: SeriesBudget) {
        self.device = device
        self.budget = budget
    }

    subscript(slot: Int) -> Slot {
        _read { yield slots[slot] }
        _modify { yield &slots[slot] }
    }

    /// Finds or makes the series; `previous` is the slot of the value before it in the same message.
    mutating func find(metric: String, unit: String?, after previous: Int?) -> Finding {
        let guess = previous.map { slots[$0].next } ?? first
        if guess < slots.count, slots[guess].series.metric == metric, slots[guess].series.unit == unit {
            return .slot(guess)
        }
        if let known = index[Key(metric: metric, unit: unit)] {
            follow(known, after: previous)
            return .slot(known)
        }
        if let fault = Self.fault(metric: metric, unit: unit) { return .rejected(fault) }
        guard slots.count < Self.limit, budget.claim() else {
            return .rejected(Rejection(.tooManySeries, "\(excerpt(metric.utf8)) would be one series too many"))
        }
        let slot = slots.count
        let before = latestOfMetric.updateValue(slot, forKey: metric)
        slots.append(Slot(series: Series(device: device, metric: metric, unit: unit)))
        index[Key(metric: metric, unit: unit)] = slot
        follow(slot, after: previous)
        return .added(slot, changedFrom: before)
    }

    private mutating func follow(_ slot: Int, after previous: Int?) {
        if let previous { slots[previous].next = slot } else { first = slot }
    }

    private static func fault(metric: String, unit: String?) -> Rejection? {
        guard (1...Limits.metricNameBytes).contains(metric.utf8.count), metric.utf8.allSatisfy(isPlain) else {
            let rule = "1 to \(Limits.metricNameBytes) bytes without control characters"
            return Rejection(.badName, "\(excerpt(metric.utf8)) is no metric name (\(rule))")
        }
        guard let unit else { return nil }
        guard (1...Limits.unitBytes).contains(unit.utf8.count), unit.utf8.allSatisfy(isPlain) else {
            let rule = "1 to \(Limits.unitBytes) bytes without control characters"
            return Rejection(.badName, "\(excerpt(unit.utf8)) is no unit (\(rule))")
        }
        return nil
    }

    private static func isPlain(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F }
}
