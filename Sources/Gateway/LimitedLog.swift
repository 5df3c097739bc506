import Devices
import Environment
import GatewayCore
import Logging
import Model
import Synchronization

/// Log lines about sources, once per source and interval, so that a bad sensor cannot fill a journal.
final class LimitedLog: Sendable {
    /// More sources than this share one limiter.
    private static let maximumSources = 4096

    private let logger: Logger
    private let clock: any Environment.Clock
    private let limiters = Mutex<[String: RejectionLimiter]>([:])

    init(logger: Logger, clock: any Environment.Clock) {
        self.logger = logger
        self.clock = clock
    }

    /// What a device found worth a line; its own limiter has spoken already.
    func device(_ id: DeviceID, _ outcome: DeviceOutcome) {
        if let report = outcome.report {
            let more = report.suppressed > 0 ? " (and \(report.suppressed) more since the last line)" : ""
            logger.warning(
                "device \(id): rejected (\(report.rejection.reason.rawValue)): \(report.rejection.detail)\(more)")
        }
        let surplus = outcome.counts.dropped[.quota]
        if surplus > 0 {
            warn(
                source: id.rawValue + DropReason.quota.rawValue,
                "device \(id): sends more than its max_rate: \(surplus) readings dropped")
        }
        for notice in outcome.notices { logger.notice("device \(id): \(notice)") }
    }

    func rejection(of id: DeviceID, _ rejection: Rejection) {
        let whose = id == Ledger.unrouted ? "" : "device \(id): "
        warn(
            source: id.rawValue + rejection.reason.rawValue,
            "\(whose)rejected (\(rejection.reason.rawValue)): \(rejection.detail)")
    }

    /// Logs `text`, unless `source` had a line within the last minute.
    func warn(source: String, _ text: @autoclosure () -> String) {
        let now = clock.now
        let suppressed: Int? = limiters.withLock { limiters in
            let key = limiters[source] != nil || limiters.count < Self.maximumSources ? source : "(others)"
            var limiter = limiters[key] ?? RejectionLimiter()
            defer { limiters[key] = limiter }
            return limiter.admit(now: now)
        }
        guard let suppressed else { return }
        logger.warning("\(text())\(suppressed > 0 ? " (and \(suppressed) more since the last line)" : "")")
    }
}
