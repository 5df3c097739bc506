/// Lets a level through once it has held for a period, as the kernel's own debounce does. Pure.
///
/// The time of a change is that of the last edge before the quiet, not the end of the period.
struct Debouncer {
    struct Change: Equatable {
        let level: Bool
        let nanoseconds: Int64
    }

    private let period: Int64
    private(set) var stable: Bool
    private var candidate: Bool
    private var since: Int64

    init(period: Int64, level: Bool, at now: Int64) {
        self.period = period
        stable = level
        candidate = level
        since = now
    }

    /// An edge to `level`. Returns the change that had held long enough before it. An edge to the level that it has
    /// already means that it left that level unseen, so the period begins anew.
    mutating func edge(to level: Bool, at now: Int64) -> Change? {
        let change = settle(at: now)
        candidate = level
        since = now
        return change
    }

    /// Returns the change that has held long enough by `now`.
    mutating func settle(at now: Int64) -> Change? {
        guard candidate != stable, now - since >= period else { return nil }
        stable = candidate
        return Change(level: candidate, nanoseconds: since)
    }

    /// When ``settle(at:)`` will have something to say; `nil` while nothing is pending.
    var deadline: Int64? { candidate == stable ? nil : since + period }
}
