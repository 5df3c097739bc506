import Model

/// Turns edges, level reads and ticks of one line into readings. Pure: no I/O, no clock; all times are
/// `CLOCK_MONOTONIC` nanoseconds that the caller brings, and the caller takes the readings with ``takeReadings()``
/// after each round.
///
/// A round of the caller is: note the time, drain the edges, read the level if ``isLevelReadDue(at:)``, tick, take the
/// readings.
package struct LineMachine: Sendable {
    /// Readings that wait to be taken. More edges than this in one round are no states that anybody could use one by
    /// one; the newest state takes the last place, and the surplus is counted as missed.
    package static let pendingLimit = 1024

    /// How the line is watched, derived from its settings and from what the kernel does itself.
    package struct Plan: Hashable, Sendable {
        let mode: GPIOSettings.Mode
        let wanted: GPIOSettings.Edge
        let watched: GPIOSettings.Edge
        /// 0 where the kernel debounces or nobody shall.
        let debounce: Int64
        let interval: Int64

        /// - Parameter isDebouncedByKernel: whether the edges that arrive are debounced already.
        package init(_ settings: GPIOSettings, isDebouncedByKernel: Bool) {
            mode = settings.mode
            wanted = settings.edge
            watched = settings.watchedEdge
            debounce = isDebouncedByKernel ? 0 : settings.debounce.nanoseconds
            interval = settings.interval.nanoseconds
        }
    }

    /// A level is re-read at least this often, because it also shows that the chip is still there.
    private static let longestBetweenLevelReads: Int64 = 1_000_000_000

    /// Edges of the wanted kind since the driver was made, debounced.
    package private(set) var count: UInt64
    /// Edges that the kernel had no room for, or that came too fast to be told apart, as far as can be known.
    package private(set) var missed: UInt64 = 0

    private let plan: Plan
    private var tracker: EdgeTracker
    private var debouncer: Debouncer?
    private var meter = FrequencyMeter()
    private var pending: [LineReading] = []
    /// Missed edges that no reading has told of yet.
    private var hasUntoldMisses: Bool
    private var reportedCount: UInt64?
    private var reportedZero = false
    private var intervalStart: Int64
    private var nextLevelRead: Int64

    /// - Parameters:
    ///   - level: the level read right after the line was requested, between `from` and `until`.
    ///   - count: where counting goes on, if the line was read before.
    ///   - isResumed: the line was read before and then lost: what moved meanwhile was missed.
    package init(
        _ plan: Plan, level: Bool, from: Int64, until: Int64, count: UInt64 = 0, isResumed: Bool = false
    ) {
        precondition(from <= until, "the level was read from \(from) until \(until)")
        self.plan = plan
        self.count = count
        hasUntoldMisses = isResumed && plan.mode != .level
        tracker = EdgeTracker(
            followsLevel: plan.watched == .both, allowsRepeats: plan.debounce > 0, level: level, from: from,
            until: until)
        debouncer = plan.debounce > 0 ? Debouncer(period: plan.debounce, level: level, at: until) : nil
        intervalStart = until
        nextLevelRead = until + min(plan.interval, Self.longestBetweenLevelReads)
        switch plan.mode {
        case .level: append(.level(level), at: until)
        case .count: reportCount(at: until)
        case .frequency: break
        }
    }

    /// The readings since the last call, in the order of their times; at most ``pendingLimit``.
    package mutating func takeReadings() -> [LineReading] {
        let readings = pending
        pending.removeAll(keepingCapacity: true)
        return readings
    }

    /// When the machine wants to hear of the time again: a debounce, a report or a level read is due then.
    package var deadline: Int64 {
        var earliest = nextLevelRead
        if let settles = debouncer?.deadline { earliest = min(earliest, settles) }
        if reportsAtInterval { earliest = min(earliest, intervalStart + plan.interval) }
        return earliest
    }

    private var reportsAtInterval: Bool { plan.mode != .level || plan.wanted == .none }
}

// MARK: Inputs

extension LineMachine {
    package mutating func edge(_ edge: EdgeEvent) {
        let verdict = tracker.edge(edge)
        miss(verdict.missed)
        // An edge that the first level read saw already is no second state, but it is a pulse.
        if verdict.isInFirstLevel, plan.mode == .level { return }
        guard debouncer != nil else { return accept(edge.isRising, at: edge.nanoseconds) }
        if verdict.isInFirstLevel { return }
        if let change = debouncer?.edge(to: edge.isRising, at: edge.nanoseconds) {
            accept(change.level, at: change.nanoseconds)
        }
    }

    /// The kernel's buffer was full when it was read, and its edges bear no sequence numbers.
    package mutating func bufferWasFull() {
        miss(tracker.bufferWasFull())
    }

    package func isLevelReadDue(at now: Int64) -> Bool { now >= nextLevelRead }

    /// The level as it was read at `now` or just after, when no edge was waiting.
    package mutating func levelRead(_ level: Bool, at now: Int64) {
        nextLevelRead = now + min(plan.interval, Self.longestBetweenLevelReads)
        if plan.watched == .none {
            guard now >= intervalStart + plan.interval else { return }
            beginInterval(at: now)
            return append(.level(level), at: now)
        }
        switch tracker.levelRead(level, at: now) {
        case .agrees: break
        case .disagrees(let askAgain): nextLevelRead = min(nextLevelRead, askAgain)
        case .adopted: adopt(level, at: now)
        }
    }

    /// Time has come to `now`, and every edge before it has been brought.
    package mutating func tick(at now: Int64) {
        if let change = debouncer?.settle(at: now) { accept(change.level, at: change.nanoseconds) }
        guard reportsAtInterval, plan.mode != .level, now >= intervalStart + plan.interval else { return }
        report(at: now)
        beginInterval(at: now)
    }

    /// The line is about to be released: what the interval has gathered so far is told.
    package mutating func finish(at now: Int64) {
        if plan.mode == .count { reportCount(at: now) }
    }
}

// MARK: Effects

extension LineMachine {
    /// A level that counts: debounced, and not seen before.
    private mutating func accept(_ level: Bool, at now: Int64) {
        guard isWanted(level) else { return }
        switch plan.mode {
        case .level: append(.level(level), at: now)
        case .count: count += 1
        case .frequency: meter.edge(at: now)
        }
    }

    /// An edge to `level` was missed: the state is put right, but a pulse that nobody saw is not counted as one. Where
    /// the driver debounces, the level has yet to hold, and then counts like any other.
    private mutating func adopt(_ level: Bool, at now: Int64) {
        miss(1)
        if debouncer != nil {
            if let change = debouncer?.edge(to: level, at: now) { accept(change.level, at: change.nanoseconds) }
        } else if plan.mode == .level, isWanted(level) {
            append(.level(level), at: now)
        }
    }

    private mutating func report(at now: Int64) {
        if plan.mode == .count { return reportCount(at: now) }
        let edges = meter.endInterval(length: now - intervalStart)
        let frequency = plan.wanted == .both ? edges / 2 : edges
        if frequency == 0, reportedZero, !hasUntoldMisses { return }
        reportedZero = frequency == 0
        append(.frequency(frequency), at: now)
    }

    private mutating func reportCount(at now: Int64) {
        if reportedCount == count, !hasUntoldMisses { return }
        reportedCount = count
        append(.count(count), at: now)
    }

    /// Intervals follow each other without drift; where the caller was held up for longer than one, they begin anew.
    private mutating func beginInterval(at now: Int64) {
        let next = intervalStart + plan.interval
        intervalStart = now - next < plan.interval && plan.mode != .frequency ? next : now
    }

    private mutating func miss(_ edges: UInt64) {
        guard edges > 0 else { return }
        missed += edges
        hasUntoldMisses = true
    }

    private mutating func append(_ content: LineReading.Content, at now: Int64) {
        if pending.count == Self.pendingLimit {
            pending.removeLast()
            miss(1)
        }
        pending.append(LineReading(content, quality: hasUntoldMisses ? .edgesMissed : .good, nanoseconds: now))
        hasUntoldMisses = false
    }

    private func isWanted(_ level: Bool) -> Bool {
        switch plan.wanted {
        case .both: true
        case .rising: level
        case .falling: !level
        case .none: false
        }
    }
}
