package import Model
package import Replication

/// Readings of one log that this gateway has not, and who says that it has them.
package struct Elsewhere: Hashable, Sendable {
    package struct Holder: Hashable, Sendable {
        package let node: NodeID
        package let ranges: OffsetRanges
        package let standing: Standing

        package init(node: NodeID, ranges: OffsetRanges, standing: Standing) {
            self.node = node
            self.ranges = ranges
            self.standing = standing
        }
    }

    /// In the order in which they are asked.
    package enum Standing: Int, Comparable, Hashable, Sendable {
        case alive, suspect
        /// Answers no questions: its version is too old.
        case old
        case gone

        package static func < (left: Standing, right: Standing) -> Bool { left.rawValue < right.rawValue }
    }

    package let log: LogName
    /// Whom to ask first comes first.
    package let holders: [Holder]

    package init(log: LogName, holders: [Holder]) {
        self.log = log
        self.holders = holders
    }
}

/// What a query could not get, and why.
package struct Missing: Hashable, Sendable {
    package let log: LogName
    package let ranges: OffsetRanges
    /// All who say that they have some of it.
    package let holders: [Holder]

    package struct Holder: Hashable, Sendable {
        package let node: NodeID
        package let reason: Reason
    }

    package enum Reason: String, Hashable, Sendable {
        case gone
        case old = "its version answers no questions"
        case silent = "gave no answer in time"
        case unreachable = "cannot be reached"
        case refused = "cannot read it now"
        case rubbish = "answered something else"
        case without = "has it no more"
        case crowded = "too many gateways to ask"
    }
}

/// What queries of this gateway saw of peers.
package struct AskedCounts: Hashable, Sendable {
    package internal(set) var pages: UInt64 = 0
    package internal(set) var readings: UInt64 = 0
    /// Questions without an answer in time, or to a peer that could not be reached.
    package internal(set) var unanswered: UInt64 = 0
    /// Answers that are none, or hold something that was not asked for.
    package internal(set) var malformed: UInt64 = 0

    mutating func add(_ other: AskedCounts) {
        pages += other.pages
        readings += other.readings
        unanswered += other.unanswered
        malformed += other.malformed
    }
}
