/// Why something that was received did not become a reading, though nothing was wrong with it.
package enum DropReason: String, Hashable, Sendable, CaseIterable {
    /// Its device sent more than it is allowed.
    case quota
    /// The ring fills with what no sink has, and leaves room for devices of a higher priority.
    case lowPriority = "low-priority"
    /// The device's mailbox had no room.
    case mailboxFull = "mailbox-full"
}

/// Counts by reason, in the order of the reasons' words. Reasons that never occurred take no room.
package struct Tally<Reason>: Hashable, Sendable
where Reason: RawRepresentable<String> & Hashable & Sendable {
    /// A reason that occurred, with how often.
    package struct Entry: Hashable, Sendable {
        package let reason: Reason
        package fileprivate(set) var count: Int
    }

    package private(set) var entries: [Entry] = []

    package init() {}

    package var total: Int { entries.reduce(0) { $0 + $1.count } }

    /// 0 where the reason never occurred.
    package subscript(reason: Reason) -> Int { entries.first { $0.reason == reason }?.count ?? 0 }

    /// Counts `count` more; 0 leaves no entry.
    package mutating func add(_ count: Int = 1, _ reason: Reason) {
        guard count != 0 else { return }
        if let index = entries.firstIndex(where: { $0.reason == reason }) {
            entries[index].count += count
        } else {
            let index = entries.firstIndex { $0.reason.rawValue > reason.rawValue } ?? entries.count
            entries.insert(Entry(reason: reason, count: count), at: index)
        }
    }

    /// Adds another tally, such as one batch's.
    package mutating func merge(_ other: Tally) {
        for entry in other.entries { add(entry.count, entry.reason) }
    }
}

/// What a device's input came to. `received` is always the readings handed on + `rejected.total` + `dropped.total`.
package struct DeviceCounts: Hashable, Sendable {
    /// Values found, and rejections: a message that gave nothing counts once.
    package var received = 0
    package var rejected = Tally<Rejection.Reason>()
    package var dropped = Tally<DropReason>()

    package init() {}

    /// Adds the counts of another batch or device.
    package mutating func merge(_ other: DeviceCounts) {
        received += other.received
        rejected.merge(other.rejected)
        dropped.merge(other.dropped)
    }
}
