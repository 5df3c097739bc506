import TOMLConfiguration
import ControlAPI
import Devices
import Environment
import GatewayCore
import Glibc
import HTTPSinks
import KeyValue
import LogFormat
import Logging
import MQTTLink
import Model
import Posix
import RingLog
import Sinks
import Supervision
import SupervisionCore

/// One gateway, wired from its configuration. Floor 5: here, and only here, parts of floor 4 meet.
package final class Gateway: Sendable {
    package static let version = "0.1.0"

    /// What the running gateway's parts share.
    struct Parts: Sendable {
        let name: String
        let live: LiveConfiguration
        let node: NodeID
        let clock: SystemClock
        let startedAt: MonotonicInstant
        let disk: FileDisk
        let threads: StorageThreads
        let gateway: GatewayActor
        /// `nil` where there is no `[cluster]`.
        let peerLink: PeerLink?
        let departure: Departure
        let joined: JoinedSeeds
        let directory: DeviceDirectory
        let roster: DeviceRoster
        let store: any KeyValueStore
        let tails: TailHub
        let queries: RunningQueries
        let log: LimitedLog
        let instruments: Instruments
        let ingestLinks: IngestLinks
        /// `nil` where there is no `[cluster]`.
        let sharing: SharedBrokers?
        let publishLinks: [(name: String, link: PublishLink)]
        let sinks: [SinkRunner]
        let intake: Intake
        let discovery: Discovery
        let firstContact: FirstContact
        let findings: [String]

        /// Runs `body` where it may block on the disk.
        func onReader<Result: Sendable>(_ body: @escaping @Sendable (any Disk) -> Result) async -> Result {
            let disk = disk
            return await Task(executorPreference: threads.reader) { body(disk) }.value
        }
    }

    /// What the gateway was started with; ``Parts/live`` has what it runs on.
    let configuration: GatewayConfiguration
    let parts: Parts
    let supervisor: Supervisor
    let manager = ServiceManager()
    let logger: Logger
    /// Drivers that stand in for configured ones, by device.
    let drivers: [DeviceID: any Driver]
    let patience: Patience
    let threshold: LogThreshold
    private let lock: InstanceLock
    private let transport: HTTPTransport

    init(
        configuration: GatewayConfiguration, parts: Parts, logger: Logger, drivers: [DeviceID: any Driver],
        patience: Patience, threshold: LogThreshold, lock: InstanceLock, transport: HTTPTransport
    ) {
        self.configuration = configuration
        self.parts = parts
        self.logger = logger
        supervisor = Supervisor(
            "covey", clock: parts.clock, seed: .random(in: .min ... .max),
            events: { [log = parts.log] in log.supervision($0) }, children: [])
        self.drivers = drivers
        self.patience = patience
        self.threshold = threshold
        self.lock = lock
        self.transport = transport
    }

    /// Serves until the task is cancelled, then commits what is left and returns. Throws where the gateway had to give up.
    package func run() async throws {
        await restoreLatest()
        for spec in children() { try await supervisor.add(spec) }
        do {
            try await supervisor.run()
        } catch {
            await close()
            throw error
        }
        await close()
    }

    /// The sources are silent by now: what they gave is written, and everything is let go.
    private func close() async {
        manager.stopping()
        parts.tails.close()
        let isClean = await within(.seconds(3)) { await self.parts.gateway.stop() }
        if !isClean {
            logger.error("the disk did not take the last readings in time; a broker will send its own again")
        }
        await housekeeper.saveSnapshot()
        await parts.store.close()
        await transport.shutdown()
        parts.threads.retire()
        logger.notice("stopped")
    }

    /// - Returns: Whether `body` ended within `limit`; it is left behind where not.
    private func within(_ limit: Duration, _ body: @escaping @Sendable () async -> Void) async -> Bool {
        let clock = parts.clock
        return await withCheckedContinuation { continuation in
            let once = Once(continuation)
            Task {
                await body()
                once.resume(returning: true)
            }
            Task {
                try? await clock.sleep(for: limit)
                once.resume(returning: false)
            }
        }
    }

    /// What was known before this start: the snapshot, and then what the ring got after it.
    private func restoreLatest() async {
        do {
            for stored in try await LatestSnapshot(store: parts.store).load() {
                await parts.gateway.recall(stored)
            }
        } catch {
            logger.warning("the newest readings of the last run cannot be read: \(error.message)")
        }
        let plan = await parts.gateway.read {
            $0.ring.queryPlan(from: nil, to: nil, newestFirst: true, limit: Self.recalledReadings)
        }
        let result = await parts.onReader { plan.perform(on: $0) { _ in true } }
        for timed in result.readings.sorted(by: { $0.time < $1.time }) { await parts.gateway.recall(timed.stored) }
        await restoreLatestOfOthers()
    }

    /// No snapshot is kept of what others measure: what is newest in their logs here is what is known.
    private func restoreLatestOfOthers() async {
        guard await parts.gateway.read({ !$0.ring.copies.isEmpty }) else { return }
        let plan = await parts.gateway.read {
            $0.ring.queryPlan(from: nil, to: nil, newestFirst: true, limit: Self.recalledReadings, copies: true)
        }
        let isCopy = await parts.gateway.read { core in Set(core.ring.copies.map(\.log)) }
        let result = await parts.onReader { plan.perform(on: $0) { _ in true } }
        let others = result.readings.filter { isCopy.contains($0.stored.log) }
        for timed in others.sorted(by: { $0.time < $1.time }) { await parts.gateway.recall(timed.stored) }
    }

    /// A minute's worth and more: the snapshot is taken every minute.
    private static let recalledReadings = 16_384

    var housekeeper: Housekeeper {
        Housekeeper(
            parts: parts, clock: parts.clock, snapshot: LatestSnapshot(store: parts.store), manager: manager,
            logger: logger, retention: configuration.storage.keep)
    }
}
