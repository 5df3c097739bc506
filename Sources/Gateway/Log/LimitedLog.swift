import Devices
import Environment
import GatewayCore
import Logging
import Model
import SupervisionCore
import Synchronization

/// Log lines about things that repeat, so many for each source and interval, so that a bad sensor or a flapping link cannot fill a
/// journal. Every line of the gateway, these and others, is under one ceiling besides.
final class LimitedLog: Sendable {
    /// For lines that do not repeat.
    let logger: Logger
    private let ceiling: LogCeiling
    private let clock: any Environment.Clock
    private let limiter = Mutex(LineLimiter())

    init(logger: Logger, clock: any Environment.Clock) {
        ceiling = LogCeiling(clock: clock)
        self.logger = ceiling.over(logger)
        self.clock = clock
    }

    /// Writes a line, unless `source` had its say within the last minute.
    ///
    /// - Parameters:
    ///   - source: What speaks, and what kind of thing it says: lines of one source stand for each other.
    ///   - count: Events that the line stands for.
    ///   - burst: Lines that the source has within a minute.
    func line(
        _ level: Logger.Level, source: String, count: Int = 1, burst: Int = 1,
        _ text: @autoclosure @escaping LineLimiter.Text
    ) {
        guard level >= logger.logLevel else { return }
        let now = clock.now
        let line = limiter.withLock { $0.admit(level, from: source, count: count, burst: burst, now: now, text) }
        if let line { write(line) }
    }

    /// Tells what was held back and is due. To be called every second or so.
    func flush() {
        let now = clock.now
        for line in limiter.withLock({ $0.overdue(now: now) }) { write(line) }
        ceiling.flush(to: logger)
    }

    /// For the metrics: lines written by level, and lines held back by the limit of their source and by the ceiling.
    var counts: (written: [Logger.Level: UInt64], bySource: UInt64, byCeiling: UInt64) {
        let (written, suppressed) = ceiling.counts
        return (written, limiter.withLock(\.suppressed), suppressed)
    }

    private func write(_ line: LineLimiter.Line) {
        let more = line.more > 0 ? " (and \(line.more) more since the last line)" : ""
        logger.log(level: line.level, "\(line.text())\(more)")
    }

    // MARK: What speaks

    /// What a device found worth a line; its own limiter has spoken already about what it rejects.
    func device(_ id: DeviceID, _ outcome: DeviceOutcome) {
        if let report = outcome.report { rejections(of: id, report) }
        let surplus = outcome.counts.dropped[.quota]
        if surplus > 0 {
            line(
                .warning, source: "\(id) \(DropReason.quota.rawValue)", count: surplus,
                "device \(id): sends more than its max_rate: \(surplus) readings dropped")
        }
        let shed = outcome.counts.dropped[.lowPriority]
        if shed > 0 {
            line(
                .warning, source: "\(id) \(DropReason.lowPriority.rawValue)", count: shed,
                "device \(id): the ring fills with what no sink has, and its priority is low: \(shed) readings dropped")
        }
        for notice in outcome.notices { line(.notice, source: "device \(id)", burst: 4, "device \(id): \(notice)") }
    }

    func rejections(of id: DeviceID, _ report: RejectionReport) {
        let more = report.suppressed > 0 ? " (and \(report.suppressed) more since the last line)" : ""
        logger.warning(
            "device \(id): rejected (\(report.rejection.reason.rawValue)): \(report.rejection.detail)\(more)")
    }

    func rejection(of id: DeviceID, _ rejection: Rejection) {
        let whose = id == Ledger.unrouted ? "" : "device \(id): "
        line(
            .warning, source: "\(id) \(rejection.reason.rawValue)",
            "\(whose)rejected (\(rejection.reason.rawValue)): \(rejection.detail)")
    }

    /// What the core tells. Its first words say what kind of thing it is: `sink cloud`, `segment 3`.
    func report(_ report: Report) {
        let level: Logger.Level =
            switch report.severity {
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            }
        let kind = report.text.split(separator: " ", maxSplits: 2).prefix(2).joined(separator: " ")
        line(level, source: "core \(level) \(kind)", burst: 4, report.text)
    }

    func supervision(_ event: SupervisionEvent) {
        let place = (event.path + [event.child]).joined(separator: "/")
        line(event.level, source: "\(place) \(event.word)", "\(event)")
    }
}

extension SupervisionEvent {
    var level: Logger.Level {
        switch severity {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }

    /// The kind without what differs from time to time.
    fileprivate var word: String {
        switch kind {
        case .started: "started"
        case .failed: "failed"
        case .restarting: "restarting"
        case .finished: "finished"
        case .stuck: "stuck"
        case .abandoned: "abandoned"
        case .returned: "returned"
        case .quarantined: "quarantined"
        case .released: "released"
        case .stopped: "stopped"
        case .removed: "removed"
        case .escalated: "escalated"
        }
    }
}
