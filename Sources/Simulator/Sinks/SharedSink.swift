import GatewayCore
import Model
import RingLog
import Sinks

/// A sink that all gateways of the site may reach, with its moods; what it stored stays, in the ``Truth``.
struct SharedSink {
    enum Mood: CaseIterable {
        case good
        /// 503, at once.
        case unavailable
        /// Stores, and answers late.
        case late
        /// Stores, and never answers: the client's patience ends.
        case storesAndTimesOut
        /// 429, with a time to wait.
        case throttles
        /// Nobody answers the connection.
        case gone

        var keeps: Bool { self == .good || self == .late || self == .storesAndTimesOut }

        var fault: FaultKind? {
            switch self {
            case .good: nil
            case .unavailable: .sinkUnavailable
            case .late: .sinkLate
            case .storesAndTimesOut: .sinkForgetsToAnswer
            case .throttles: .sinkThrottles
            case .gone: .sinkGone
            }
        }
    }

    let plan: Scenario.SinkPlan
    var mood = Mood.good
    /// Chunks that came, and readings that it had already.
    var arrivals = 0
    var doubles = 0
    /// Of those, in peace: two gateways that both live and know one another have sent one reading.
    var doublesInPeace = 0

    init(plan: Scenario.SinkPlan) {
        self.plan = plan
    }

    var setup: GatewayCore.SinkSetup {
        .init(name: plan.name, isRequired: plan.isRequired, settings: plan.settings)
    }
}
