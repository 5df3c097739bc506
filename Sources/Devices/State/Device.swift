package import Environment
package import Model

/// The actor around one ``DeviceState``: a batch costs one hop. Its methods never wait, so it is never re-entered.
package actor Device {
    package nonisolated let id: DeviceID
    private let budget: SeriesBudget
    private var state: DeviceState

    package init(
        id: DeviceID, policy: DevicePolicy = DevicePolicy(), series budget: SeriesBudget = SeriesBudget(),
        pressure: RingPressure = RingPressure(), createdAt now: MonotonicInstant
    ) {
        self.id = id
        self.budget = budget
        state = DeviceState(id: id, policy: policy, series: budget, pressure: pressure, createdAt: now)
    }

    deinit {
        budget.release(state.seriesCount)
    }

    /// See ``DeviceState/adopt(_:now:)``.
    package func adopt(_ policy: DevicePolicy, now: MonotonicInstant) { state.adopt(policy, now: now) }

    /// See ``DeviceState/take(_:now:)``.
    package func take(_ messages: [RoutedMessage], now: MonotonicInstant) -> DeviceOutcome {
        state.take(messages, now: now)
    }

    /// See ``DeviceState/take(samples:now:)``.
    package func take(samples: [Sample], now: MonotonicInstant) -> DeviceOutcome {
        state.take(samples: samples, now: now)
    }

    /// See ``DeviceState/checkSilence(now:)``.
    package func checkSilence(now: MonotonicInstant) -> DeviceNotice? { state.checkSilence(now: now) }

    /// See ``DeviceState/heardElsewhere(now:)``.
    @discardableResult
    package func heardElsewhere(now: MonotonicInstant) -> DeviceNotice? { state.heardElsewhere(now: now) }

    /// See ``DeviceState/overdueReport(now:)``.
    package func overdueReport(now: MonotonicInstant) -> RejectionReport? { state.overdueReport(now: now) }

    package var silenceDeadline: MonotonicInstant? { state.silenceDeadline }

    package var status: DeviceStatus { state.status }
}
