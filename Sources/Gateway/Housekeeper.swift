import Devices
import Environment
import GatewayCore
import KeyValue
import LogFormat
import Logging
import Model
import Posix
import Supervision

/// What has to be done now and then: ask whether the clock is right, keep a snapshot of the newest readings, let go what is too old, feed the
/// watchdog.
struct Housekeeper: Sendable {
    let parts: Gateway.Parts
    let clock: SystemClock
    let snapshot: LatestSnapshot
    let manager: ServiceManager
    let logger: Logger
    /// How old a reading may become that every required sink has; `nil`: as old as there is room.
    let retention: Duration?

    private static let snapshotEvery = Duration.seconds(60)

    func run(_ context: ChildContext) async throws {
        var wasTrusted = clock.stamp.isTrusted
        // Readings of an earlier run in this boot may still wait to be dated.
        if wasTrusted { await anchor() }
        var lastSnapshot = clock.now
        var lastExpiry: MonotonicInstant?
        var node = parts.node
        while true {
            context.heartbeat()
            try await clock.sleep(for: .seconds(1))
            parts.log.flush()
            let isTrusted = clock.refreshTrust()
            if isTrusted, !wasTrusted { await clockBecameRight() }
            wasTrusted = isTrusted
            await keep(&node)
            if let retention, isTrusted,
                lastExpiry.map({ $0.duration(to: clock.now) >= Self.pause(of: retention) }) ?? true
            {
                lastExpiry = clock.now
                let limit = clock.stamp.wall.rawValue - Int64(retention.inSeconds * 1000)
                await parts.gateway.handle(.expire(before: Milliseconds(limit)))
            }
            if lastSnapshot.duration(to: clock.now) >= Self.snapshotEvery {
                lastSnapshot = clock.now
                await saveSnapshot()
                await tellOverdueRejections()
                ProcessMemory.trimHeap()
            }
        }
    }

    /// A walk over the index of a large ring takes some milliseconds; blocks of a busy one hold minutes.
    private static func pause(of retention: Duration) -> Duration { min(retention / 64, .seconds(600)) }

    /// A gateway whose card was cloned has drawn another node id: the next start must find that one.
    private func keep(_ node: inout NodeID) async {
        guard let current = await parts.gateway.read({ $0.identity?.node }), current != node else { return }
        do {
            try await parts.store.put(text: current.description, for: "node", in: .identity)
            node = current
        } catch {
            parts.log.line(.error, source: "node id", "the new node id \(current) could not be kept: \(error.message)")
        }
    }

    /// A device that fell silent after bad messages still owes the log how many they were.
    private func tellOverdueRejections() async {
        for (id, entry) in parts.directory.all {
            guard let report = await entry.device.overdueReport(now: clock.now) else { continue }
            parts.log.rejections(of: id, report)
        }
    }

    /// Tells the service manager, where there is one, that and how the gateway runs.
    func watch(_ supervisor: Supervisor) async throws {
        guard manager.isPresent else { return }
        let line = StatusLine(
            surface: GatewaySurface(parts: parts, supervisor: supervisor, logger: logger), manager: manager)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await line.keep() }
            group.addTask { try await feed(supervisor) }
            try await group.waitForAll()
        }
    }

    /// Feeds the watchdog while the supervisors move. A disk that hangs is a state they report, not a reason to be killed.
    private func feed(_ supervisor: Supervisor) async throws {
        guard let interval = manager.watchdogInterval else { return }
        while true {
            try await clock.sleep(for: interval / 3)
            if supervisor.lastProgress.duration(to: clock.now) < .seconds(20) { manager.feedWatchdog() }
        }
    }

    private func clockBecameRight() async {
        logger.notice("the clock is right now: \(clock.stamp.wall.iso8601)")
        await anchor()
    }

    private func anchor() async {
        let stamp = clock.stamp
        await parts.gateway.handle(.clockTrusted(ClockAnchor(boot: stamp.boot, wallOffset: stamp.wallOffset)))
    }

    func saveSnapshot() async {
        let readings = await parts.gateway.read { $0.latest.readings(matching: []) }
        do {
            try await snapshot.save(readings)
        } catch {
            parts.log.line(
                .warning, source: "snapshot",
                "the newest readings could not be kept for the next start: \(error.message)")
        }
    }
}
