package import Environment
package import Model
import Synchronization

/// A clock whose time a test moves by hand. Sleepers wake in the order of their deadlines.
///
/// A test that lets other tasks react first waits until they sleep (``sleeper(until:)``), and only then moves time, so that no real
/// time is ever waited for.
package final class ManualClock: Clock {
    fileprivate struct Sleeper {
        let id: UInt64
        let deadline: MonotonicInstant
        let wake: CheckedContinuation<Void, any Error>
    }

    fileprivate struct Watcher {
        let isDue: @Sendable ([MonotonicInstant]) -> Bool
        let wake: CheckedContinuation<Void, Never>
    }

    fileprivate struct State {
        var now: MonotonicInstant
        var nextID: UInt64 = 0
        /// In the order of deadlines, then of arrival.
        var sleepers: [Sleeper] = []
        /// Sleeps that were cancelled before they began.
        var cancelled: Set<UInt64> = []
        var watchers: [Watcher] = []
        var boot: BootID
        var wallOffset: Microseconds
        var isTrusted: Bool
    }

    private let state: Mutex<State>

    /// Starts `start` nanoseconds after a boot, with a trusted wall clock that is `wallOffset` ahead of the uptime.
    package init(
        at start: MonotonicInstant = MonotonicInstant(nanoseconds: 1_000_000_000),
        boot: BootID = BootID(high: 0, low: 1), wallOffset: Microseconds = Microseconds(1_763_700_000_000_000),
        isTrusted: Bool = true
    ) {
        state = Mutex(State(now: start, boot: boot, wallOffset: wallOffset, isTrusted: isTrusted))
    }

    package var now: MonotonicInstant { state.withLock { $0.now } }

    package var stamp: Stamp {
        state.withLock {
            Stamp(
                boot: $0.boot, uptime: Microseconds($0.now.nanoseconds / 1000), wallOffset: $0.wallOffset,
                isTrusted: $0.isTrusted)
        }
    }

    /// Steps the wall clock; monotonic time stays.
    package func setWall(offset: Microseconds, isTrusted: Bool) {
        state.withLock {
            $0.wallOffset = offset
            $0.isTrusted = isTrusted
        }
    }

    package func sleep(until deadline: MonotonicInstant) async throws {
        let id = state.withLock {
            $0.nextID += 1
            return $0.nextID
        }
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
                let (result, watchers) = enter(id, deadline, wake)
                for watcher in watchers { watcher.resume() }
                if let result { wake.resume(with: result) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.wake.resume(throwing: CancellationError())
        }
    }

    /// Moves time to `instant`, waking every sleeper due on the way at its own deadline. Does nothing where `instant` has passed.
    package func advance(to instant: MonotonicInstant) {
        while let sleeper = state.withLock({ $0.nextSleeper(until: instant) }) { sleeper.resume() }
    }

    package func advance(by duration: Duration) {
        advance(to: now.advanced(by: duration))
    }

    /// The deadline of the next sleeper, if someone sleeps.
    package var nextDeadline: MonotonicInstant? { state.withLock { $0.sleepers.first?.deadline } }

    /// How many sleep now.
    package var sleepers: Int { state.withLock { $0.sleepers.count } }

    /// Returns as soon as someone sleeps until exactly `deadline`.
    package func sleeper(until deadline: MonotonicInstant) async {
        await sleeping { $0.contains(deadline) }
    }

    /// Returns as soon as someone sleeps until `deadline` or later.
    package func sleeper(untilAtLeast deadline: MonotonicInstant) async {
        await sleeping { $0.contains { $0 >= deadline } }
    }

    /// Returns as soon as `count` or more sleep.
    package func sleepers(atLeast count: Int) async {
        await sleeping { $0.count >= count }
    }

    /// Returns as soon as the deadlines of the sleepers, earliest first, satisfy `condition`.
    package func sleeping(_ condition: @escaping @Sendable ([MonotonicInstant]) -> Bool) async {
        await withCheckedContinuation { wake in
            let isDue = state.withLock {
                if condition($0.sleepers.map(\.deadline)) { return true }
                $0.watchers.append(Watcher(isDue: condition, wake: wake))
                return false
            }
            if isDue { wake.resume() }
        }
    }

    /// Puts a sleeper to bed, or says how its sleep ended at once; and who waited for it.
    private func enter(
        _ id: UInt64, _ deadline: MonotonicInstant, _ wake: CheckedContinuation<Void, any Error>
    ) -> (Result<Void, any Error>?, [CheckedContinuation<Void, Never>]) {
        state.withLock { state in
            if state.cancelled.contains(id) { return (.failure(CancellationError()), []) }
            if deadline <= state.now { return (.success(()), []) }
            let place = state.sleepers.firstIndex { $0.deadline > deadline } ?? state.sleepers.count
            state.sleepers.insert(Sleeper(id: id, deadline: deadline, wake: wake), at: place)
            let deadlines = state.sleepers.map(\.deadline)
            let due = state.watchers.filter { $0.isDue(deadlines) }.map(\.wake)
            state.watchers.removeAll { $0.isDue(deadlines) }
            return (nil, due)
        }
    }
}

extension ManualClock.State {
    /// Moves time to the first deadline that is not after `instant` and takes that sleeper, or else moves it to `instant`.
    fileprivate mutating func nextSleeper(until instant: MonotonicInstant) -> CheckedContinuation<Void, any Error>? {
        guard let first = sleepers.first, first.deadline <= instant else {
            now = max(now, instant)
            return nil
        }
        now = max(now, first.deadline)
        return sleepers.removeFirst().wake
    }
}
