/// Counts by reason, in the reasons' order, so that what is written and printed never depends on hashing.
package struct ReasonCounts: Hashable, Sendable {
    package private(set) var entries: [(reason: String, count: UInt64)] = []

    package init() {}

    package var total: UInt64 { entries.reduce(0) { $0 + $1.count } }
    package var isEmpty: Bool { entries.isEmpty }

    package subscript(reason: String) -> UInt64 {
        entries.first { $0.reason == reason }?.count ?? 0
    }

    package mutating func add(_ count: UInt64, for reason: String) {
        guard count > 0 else { return }
        let place = entries.firstIndex { $0.reason >= reason } ?? entries.endIndex
        if place < entries.endIndex, entries[place].reason == reason {
            entries[place].count += count
        } else {
            entries.insert((reason, count), at: place)
        }
    }

    package mutating func add(_ other: ReasonCounts) {
        for entry in other.entries { add(entry.count, for: entry.reason) }
    }

    package static func == (left: ReasonCounts, right: ReasonCounts) -> Bool {
        left.entries.elementsEqual(right.entries) { $0 == $1 }
    }

    package func hash(into hasher: inout Hasher) {
        for entry in entries {
            hasher.combine(entry.reason)
            hasher.combine(entry.count)
        }
    }
}
