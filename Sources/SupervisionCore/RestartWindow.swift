import Environment

/// The restarts of the last period.
struct RestartWindow: Hashable, Sendable {
    let intensity: Intensity
    /// Oldest first; never more than one beyond the intensity.
    private var restarts: [MonotonicInstant] = []

    init(_ intensity: Intensity) {
        self.intensity = intensity
    }

    /// Counts one more restart at `now`; `false` where that is one too many.
    mutating func bears(restartAt now: MonotonicInstant) -> Bool {
        restarts.removeAll { $0.duration(to: now) > intensity.period }
        restarts.append(now)
        return restarts.count <= intensity.restarts
    }

    mutating func clear() {
        restarts.removeAll()
    }
}
