import Environment

/// One child and where it stands.
///
/// | phase | leaves it by |
/// |---|---|
/// | `waiting` | its turn to start |
/// | `running` | its end; a cancellation |
/// | `ending` | its end, or its deadline, which abandons it; `Ending` says what follows |
/// | `backingOff` | the end of the pause |
/// | `quarantined` | release by hand, or the end of the cool-down |
/// | `finished`, `stopped` | a group restart; removal |
struct Slot: Hashable, Sendable {
    enum Phase: Hashable, Sendable {
        case waiting
        case running(Run)
        case ending(Run, deadline: MonotonicInstant?, Ending)
        case backingOff(until: MonotonicInstant)
        case quarantined(until: MonotonicInstant?)
        case finished
        case stopped
    }

    /// What follows when a cancelled run is gone.
    enum Ending: Hashable, Sendable {
        /// The supervisor ends.
        case stop
        /// The group starts again.
        case groupRestart
        /// It was silent: as any other failure.
        case failure(String)
        case removal
        case quarantine(reason: String)
    }

    struct Run: Hashable, Sendable {
        let instance: InstanceID
        let startedAt: MonotonicInstant
        var lastBeat: MonotonicInstant
    }

    let policy: ChildPolicy
    var phase: Phase {
        didSet {
            if phase.state != oldValue.state { since = nil }
            due = phase.due(policy.heartbeat)
        }
    }
    /// When time alone changes something for this child; kept, because every step looks for the earliest of thousands.
    private(set) var due = MonotonicInstant.never
    /// When the visible state began; `nil` until the end of the step that changed it.
    var since: MonotonicInstant?
    var attempts = 0
    /// Failures in a row, for the back-off.
    var failures = 0
    /// Its own restarts; used where it is quarantined alone.
    var window: RestartWindow
    var stuck = 0
    var abandoned = 0
    var lastFailure: String?

    init(_ policy: ChildPolicy) {
        self.policy = policy
        window = RestartWindow(policy.intensity)
        phase = .waiting
        if let reason = policy.quarantineReason {
            phase = .quarantined(until: nil)
            lastFailure = oneLine(reason)
        }
    }

    /// The run that is under way, cancelled or not.
    var run: Run? {
        switch phase {
        case .running(let run), .ending(let run, _, _): run
        case .waiting, .backingOff, .quarantined, .finished, .stopped: nil
        }
    }
}

extension MonotonicInstant {
    static let never = MonotonicInstant(nanoseconds: .max)
}

extension Slot.Phase {
    func due(_ heartbeat: Heartbeat?) -> MonotonicInstant {
        switch self {
        case .running(let run): heartbeat.map { run.lastBeat.advanced(by: $0.deadline) } ?? .never
        case .ending(_, let deadline, _): deadline ?? .never
        case .backingOff(let until): until
        case .quarantined(let until): until ?? .never
        case .waiting, .finished, .stopped: .never
        }
    }

    var state: ChildStatus.State {
        switch self {
        case .waiting: .restarting
        case .running: .running
        case .ending(_, _, .failure): .stuck
        case .ending(_, _, .groupRestart): .restarting
        case .ending(_, _, .stop), .ending(_, _, .removal), .ending(_, _, .quarantine): .stopping
        case .backingOff: .backingOff
        case .quarantined: .quarantined
        case .finished: .finished
        case .stopped: .stopped
        }
    }
}
