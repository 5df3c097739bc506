import Glibc
import Synchronization

/// One line on the terminal that says how far something is which takes longer than a second. It is there only where
/// standard error is a terminal, and goes before anything else is written.
///
/// There is one terminal, so there is one of these.
enum Progress {
    private struct State {
        var text = ""
        /// Milliseconds on the monotonic clock; nothing is shown before.
        var dueAt: Int64 = 0
        var hasBegun = false
        var isOnScreen = false
    }

    private static let state = Mutex(State())
    static let isShown = isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"
    private static let patience: Int64 = 1000
    /// Between two changes: often enough to look alive, seldom enough to cost nothing.
    private static let interval: Int64 = 200

    /// What is being done; shown when that has taken a second, at once where `isPatient` is false.
    static func begin(_ text: String, isPatient: Bool = true) {
        guard isShown else { return }
        state.withLock { state in
            state.text = text
            state.hasBegun = true
            state.dueAt = now + (isPatient ? patience : 0)
        }
        if !isPatient { tick() }
    }

    /// How far it is. The text is made only when it is time to show it.
    static func say(_ text: () -> String) {
        guard isDue else { return }
        let text = text()
        state.withLock { $0.text = text }
        tick()
    }

    /// Shows what was said last, if it is time.
    static func tick() {
        guard isDue else { return }
        state.withLock { state in
            state.dueAt = now + interval
            state.isOnScreen = true
            let width = Terminal.width(of: STDERR_FILENO) ?? 80
            writeError("\r" + cut(printable(state.text), to: width - 1) + Self.eraseRest)
        }
    }

    /// Makes way for other output. What comes next shows it again.
    static func clear() {
        guard isShown else { return }
        state.withLock { state in
            if state.isOnScreen { writeError("\r" + Self.eraseRest) }
            state.isOnScreen = false
        }
    }

    /// Makes way for good.
    static func end() {
        clear()
        state.withLock { $0.hasBegun = false }
    }

    private static let eraseRest = "\u{1B}[K"

    private static var isDue: Bool { isShown && state.withLock { $0.hasBegun && now >= $0.dueAt } }

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

/// A count as a person reads it: `12 034`.
func grouped(_ count: Int) -> String {
    var digits = String(count.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits.removeLast(3)
    }
    return (count < 0 ? "-" : "") + ([digits] + groups).joined(separator: " ")
}
