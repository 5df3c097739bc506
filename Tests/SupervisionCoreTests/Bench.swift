import Environment
import Model
import SupervisionCore

/// One core with the time and the generator that drive it, for tests that read like a story.
struct Bench {
    var core: SupervisorCore
    var now = MonotonicInstant(nanoseconds: 0)
    var rng = SeededRandom(seed: 1)
    /// What the last event brought.
    var last: [Directive] = []
    /// The newest instance of each child.
    var instances: [String: InstanceID] = [:]
    /// The latest sign of life of each instance.
    var beats: [InstanceID: MonotonicInstant] = [:]

    init(_ children: [ChildPolicy], _ policy: SupervisorPolicy = SupervisorPolicy()) {
        core = SupervisorCore(path: ["root"], policy: policy)
        for child in children { send(.add(child)) }
    }

    @discardableResult
    mutating func send(_ event: Event) -> [Directive] {
        last = core.step(event, now: now, using: &rng)
        for case .start(let instance, let child, _) in last { instances[child] = instance }
        return last
    }

    /// Lets time pass, with a timer event at each deadline on the way and one at the end; gives all that it brought.
    @discardableResult
    mutating func pass(_ duration: Duration) -> [Directive] {
        let end = now.advanced(by: duration)
        var all: [Directive] = []
        while let next = core.nextDeadline, next <= end {
            now = max(now, next)
            all += send(.timer(beats: beats))
        }
        now = end
        all += send(.timer(beats: beats))
        last = all
        return all
    }

    @discardableResult
    mutating func fail(_ child: String, _ reason: String = "broken") -> [Directive] {
        send(.exited(instance(child), .failed(reason)))
    }

    @discardableResult
    mutating func end(_ child: String) -> [Directive] {
        send(.exited(instance(child), .finished))
    }

    mutating func beat(_ child: String) {
        beats[instance(child)] = now
    }

    func instance(_ child: String) -> InstanceID { instances[child] ?? InstanceID(0) }

    func state(_ child: String) -> ChildStatus.State? { status(child)?.state }

    func status(_ child: String) -> ChildStatus? { core.status().first { $0.id == child } }
}

extension [Directive] {
    /// Names of the children started, in order.
    var started: [String] {
        compactMap { if case .start(_, let child, _) = $0 { child } else { nil } }
    }

    var cancelled: [InstanceID] {
        compactMap { if case .cancel(let instance) = $0 { instance } else { nil } }
    }

    var abandoned: [InstanceID] {
        compactMap { if case .abandon(let instance) = $0 { instance } else { nil } }
    }

    var events: [SupervisionEvent] {
        compactMap { if case .report(let event) = $0 { event } else { nil } }
    }

    var kinds: [SupervisionEvent.Kind] { events.map(\.kind) }

    var refusal: Refusal? {
        compactMap { if case .refuse(let refusal) = $0 { refusal } else { nil } }.first
    }

    var outcome: Outcome? {
        compactMap { if case .end(let outcome) = $0 { outcome } else { nil } }.first
    }
}

extension Backoff {
    /// 1 s, 2 s, 4 s … 16 s, without jitter.
    static let plain = Backoff(
        initial: .seconds(1), maximum: .seconds(16), jitter: .none, stableAfter: .seconds(100))
}

func worker(
    _ id: String, _ restart: Restart = .permanent, exceeded: Exceeded = .escalate,
    intensity: Intensity = Intensity(restarts: 3, period: .seconds(60)), heartbeat: Heartbeat? = nil,
    abandonedLimit: Int = 2, quarantined: String? = nil
) -> ChildPolicy {
    ChildPolicy(
        id: id, restart: restart, exceeded: exceeded, intensity: intensity, backoff: .plain,
        shutdownDeadline: .seconds(5), heartbeat: heartbeat, abandonedLimit: abandonedLimit,
        quarantineReason: quarantined)
}
