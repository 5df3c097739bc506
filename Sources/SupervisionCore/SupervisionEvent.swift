package import Environment
import Model

/// One thing that happened under a supervisor, for logs and tests.
package struct SupervisionEvent: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case started(attempt: Int)
        /// It threw, or returned though it is permanent.
        case failed(reason: String)
        /// It will be started again after this pause.
        case restarting(after: Duration)
        /// It returned and need not be started again.
        case finished
        /// It gave no sign of life for this long and was cancelled.
        case stuck(silence: Duration)
        /// It did not end in time and is waited for no longer; `alive` abandoned instances of this child live on.
        case abandoned(alive: Int)
        /// An abandoned instance ended at last; `alive` are left.
        case returned(alive: Int)
        case quarantined(reason: String, coolDown: Duration?)
        /// Out of quarantine.
        case released
        /// It ended because the supervisor asked it to.
        case stopped
        case removed
        /// The supervisor gives up because of this child.
        case escalated(reason: String)
    }

    package enum Severity: String, Hashable, Sendable {
        case debug, info, warning, error
    }

    /// Names from the root supervisor down to the one that speaks.
    package let path: [String]
    package let child: String
    package let at: MonotonicInstant
    package let kind: Kind

    package init(path: [String], child: String, at: MonotonicInstant, kind: Kind) {
        self.path = path
        self.child = child
        self.at = at
        self.kind = kind
    }

    package var severity: Severity {
        switch kind {
        case .started, .stopped: .debug
        case .restarting, .finished, .returned, .released, .removed: .info
        case .failed, .stuck: .warning
        case .abandoned, .quarantined, .escalated: .error
        }
    }
}

extension SupervisionEvent: CustomStringConvertible {
    /// One line: `covey/devices/soil-3: failed: connection refused`.
    package var description: String {
        (path + [child]).joined(separator: "/") + ": " + what
    }

    private var what: String {
        switch kind {
        case .started(let attempt): attempt == 1 ? "started" : "started (run \(attempt))"
        case .failed(let reason): "failed: \(reason)"
        case .restarting(let pause): "restarting in \(pause.text)"
        case .finished: "finished"
        case .stuck(let silence): "stuck: silent for \(silence.text), cancelled"
        case .abandoned(let alive): "abandoned: did not end in time (\(alive) still alive)"
        case .returned(let alive): "an abandoned run ended (\(alive) still alive)"
        case .quarantined(let reason, let coolDown):
            "quarantined" + (coolDown.map { " for \($0.text)" } ?? "") + ": \(reason)"
        case .released: "released from quarantine"
        case .stopped: "stopped"
        case .removed: "removed"
        case .escalated(let reason): "escalated: \(reason)"
        }
    }
}

/// Reasons come from anywhere: one line, and short enough for a log.
let reasonLimit = 200

/// `text` on one line of at most ``reasonLimit`` characters.
func oneLine(_ text: String) -> String {
    let line = text.unicodeScalars.prefix(reasonLimit + 1)
        .map { $0.properties.generalCategory == .control ? " " : String($0) }
    return line.count > reasonLimit ? line.prefix(reasonLimit - 1).joined() + "…" : line.joined()
}
