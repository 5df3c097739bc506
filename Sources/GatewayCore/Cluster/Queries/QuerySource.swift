import Environment
import LogFormat
import Model
import Replication
import RingLog

/// What one holder is asked for in the course of a query, page after page.
struct QuerySource: Sendable {
    enum State: Hashable {
        /// To be asked when there is room.
        case idle
        case asked(QuestionID, until: MonotonicInstant)
        /// The holder is busy.
        case quiet(until: MonotonicInstant)
        /// There is a page.
        case full
    }

    let holder: NodeID
    /// What it has and has not told.
    var parts: [PeerQuestion.Part]
    /// How far it is.
    var after: QueryPlace?
    /// Since when somebody waits for it to get on.
    var since: MonotonicInstant?
    var state = State.idle
    /// No more comes behind the page.
    private(set) var isLast = false
    private var page: [ToldReading] = []
    private var next = 0

    init(holder: NodeID, parts: [PeerQuestion.Part], after: QueryPlace?, since: MonotonicInstant?) {
        self.holder = holder
        self.parts = parts
        self.after = after
        self.since = since
    }

    var isEmpty: Bool { next == page.count }
    var head: QueryPlace? { isEmpty ? nil : page[next].reading.place }
    /// Whether it has been waited for as long as anything may be.
    func isLate(_ now: MonotonicInstant) -> Bool {
        guard isEmpty, let since else { return false }
        return since.advanced(by: QueryLimits.waiting) <= now
    }

    var isAsked: Bool { if case .asked = state { true } else { false } }

    var deadline: MonotonicInstant? {
        switch state {
        case .asked(_, let until), .quiet(let until): until
        case .idle, .full: nil
        }
    }

    /// - Parameter end: Up to where the page goes; `nil` where nothing comes behind it.
    mutating func fill(_ readings: [ToldReading], end: QueryPlace?) {
        (page, next) = (readings, 0)
        isLast = end == nil
        after = end ?? after
        since = nil
        state = readings.isEmpty ? .idle : .full
    }

    mutating func pop() -> ToldReading {
        defer { next += 1 }
        return page[next]
    }

    /// The page has been told.
    mutating func drain() {
        (page, next) = ([], 0)
        since = nil
        state = .idle
    }
}

/// Shares out what is lacking among those who have it.
struct Assignment {
    let elsewhere: [Elsewhere]
    var failed: [(node: NodeID, reason: Missing.Reason)] = []
    var lacking: [LogName: [NodeID]] = [:]
    private(set) var missing: [Missing] = []
    /// By holder, in the order in which they were first needed.
    private var groups: [(holder: NodeID, parts: [PeerQuestion.Part])] = []

    init(elsewhere: [Elsewhere]) {
        self.elsewhere = elsewhere
    }

    mutating func assign(_ ranges: OffsetRanges, of log: LogName) {
        let holders = holders(of: log)
        var rest = ranges
        for holder in holders where !rest.isEmpty && reason(against: holder, of: log) == nil {
            let piece = rest.intersection(holder.ranges)
            if piece.isEmpty { continue }
            rest.subtract(piece)
            let index = groups.firstIndex { $0.holder == holder.node } ?? groups.endIndex
            if index == groups.endIndex { groups.append((holder.node, [])) }
            // What has more holes than a question has room for becomes several.
            for start in stride(from: 0, to: piece.ranges.count, by: QueryLimits.ranges) {
                let end = min(start + QueryLimits.ranges, piece.ranges.count)
                groups[index].parts.append(
                    PeerQuestion.Part(name: log, ranges: OffsetRanges(piece.ranges[start..<end])))
            }
        }
        guard !rest.isEmpty else { return }
        let reasons = holders.filter { !$0.ranges.intersection(rest).isEmpty }.map { holder in
            Missing.Holder(node: holder.node, reason: reason(against: holder, of: log) ?? .without)
        }
        missing.append(Missing(log: log, ranges: rest, holders: reasons))
    }

    private func holders(of log: LogName) -> [Elsewhere.Holder] {
        // There may be thousands of logs, each looked for.
        var (low, high) = (0, elsewhere.count)
        while low < high {
            let middle = (low + high) / 2
            if elsewhere[middle].log < log { low = middle + 1 } else { high = middle }
        }
        return low < elsewhere.count && elsewhere[low].log == log ? elsewhere[low].holders : []
    }

    private func reason(against holder: Elsewhere.Holder, of log: LogName) -> Missing.Reason? {
        switch holder.standing {
        case .gone: .gone
        case .old: .old
        case .alive, .suspect:
            failed.first { $0.node == holder.node }?.reason
                ?? (lacking[log]?.contains(holder.node) ?? false ? .without : nil)
        }
    }

    func sources(after: QueryPlace?, since: MonotonicInstant?) -> [QuerySource] {
        var sources: [QuerySource] = []
        for group in groups {
            var open: [QuerySource] = []
            for part in group.parts {
                if let index = open.firstIndex(where: { $0.hasRoom(for: part) }) {
                    open[index].parts.append(part)
                } else {
                    open.append(QuerySource(holder: group.holder, parts: [part], after: after, since: since))
                }
            }
            sources += open
        }
        return sources
    }
}

extension QuerySource {
    fileprivate func hasRoom(for part: PeerQuestion.Part) -> Bool {
        parts.count < QueryLimits.parts
            && parts.reduce(part.ranges.ranges.count) { $0 + $1.ranges.ranges.count } <= QueryLimits.questionRanges
            && !parts.contains { $0.name.log == part.name.log }
    }
}
