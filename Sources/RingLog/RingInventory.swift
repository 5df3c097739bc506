package import LogFormat
package import Model

/// What a ring holds, by segments and log by log: for a person who looks into it, not for every status.
package struct RingInventory: Sendable {
    /// Segments that are used alike.
    package struct Segments: Hashable, Sendable {
        /// What they hold; `nil` where they hold nothing that counts.
        package let kind: SegmentKind?
        /// `blank`, `free`, `open`, `sealed`, `leaving`, `retired` or `set-aside`.
        package let state: String
        package internal(set) var count = 0
        /// Readings that are found there.
        package internal(set) var readings = 0
    }

    /// One log, minted here or copied.
    package struct Log: Hashable, Sendable {
        package let log: LogID
        package let isOwn: Bool
        /// Of a copy: whose it is; `nil` where damage left it without a name, and for this ring's own.
        package let node: NodeID?
        package let isClosed: Bool
        package let readings: Int
        /// What is held: ascending, neither overlapping nor touching.
        package let held: [Range<Offset>]
        /// One past the last offset known to have been used.
        package let end: Offset
        /// What will not come, ascending.
        package let gaps: [Gap]
        /// Wall estimates of what is held, anchors not considered; `nil` where nothing is.
        package let times: ClosedRange<Milliseconds>?
    }

    package let statistics: RingStatistics
    package let segmentBytes: Int
    package let segments: [Segments]
    /// Own logs and copies, in the order in which they came.
    package let logs: [Log]

    package var newest: Milliseconds? { logs.compactMap { $0.times?.upperBound }.max() }
}

extension RingLog {
    /// Walks over the whole index.
    package var inventory: RingInventory {
        var groups: [RingInventory.Segments] = []
        for segment in segments {
            let holds = segment.isOurs && !segment.state.isUnused
            let group = RingInventory.Segments(kind: holds ? segment.kind : nil, state: segment.state.word)
            let index = groups.firstIndex { $0.kind == group.kind && $0.state == group.state } ?? groups.endIndex
            if index == groups.endIndex { groups.append(group) }
            groups[index].count += 1
            groups[index].readings += segment.held
        }
        groups.sort { ($0.kind?.rawValue ?? .max, $0.state) < ($1.kind?.rawValue ?? .max, $1.state) }
        return RingInventory(
            statistics: statistics, segmentBytes: options.geometry.segmentBytes, segments: groups,
            logs: logOrder.compactMap(inventory(of:)))
    }

    private func inventory(of log: LogID) -> RingInventory.Log? {
        guard let index = indexes[log] else { return nil }
        var times: ClosedRange<Milliseconds>?
        for entry in index.entries {
            let (earliest, latest) = (Milliseconds(entry.earliest), Milliseconds(entry.latest))
            times = min(times?.lowerBound ?? earliest, earliest)...max(times?.upperBound ?? latest, latest)
        }
        return RingInventory.Log(
            log: log, isOwn: index.origin == .own, node: index.origin.node, isClosed: index.isClosed,
            readings: index.ranges.count, held: ranges(of: log), end: Offset(index.end), gaps: index.gaps, times: times)
    }
}

extension Segment.State {
    /// For faces.
    fileprivate var word: String {
        switch self {
        case .blank: "blank"
        case .free: "free"
        case .open: "open"
        case .sealed: "sealed"
        case .leaving: "leaving"
        case .retired: "retired"
        case .setAside: "set-aside"
        }
    }
}
