import TOMLConfiguration
import ControlAPI
import Devices
import Environment
import GatewayCore
import KeyValue
import Logging
import MQTTLink
import Model
import Posix
import Sinks
import Supervision
import SupervisionCore

/// The supervision tree. What a configuration names can fail for ever without taking its neighbours along: it is quarantined, and tried
/// again after a while.
extension Gateway {
    private static let coolDown = Exceeded.quarantine(coolDown: .seconds(600))
    /// Of the way to the peers: a key file that is put right, or an address that the machine gets, ends a gateway's loneliness soon.
    private static let linkCoolDown = Exceeded.quarantine(coolDown: .seconds(20))
    private static let tries = Intensity(restarts: 5, period: .seconds(60))
    private static let backoff = Backoff(initial: .milliseconds(500), maximum: .seconds(60))

    func children() -> [ChildSpec] {
        let housekeeper = housekeeper
        let supervisor = supervisor
        let intake = parts.intake
        return [
            ChildSpec("housekeeping", heartbeat: Heartbeat(deadline: .seconds(90))) { try await housekeeper.run($0) },
            ChildSpec("watchdog", restart: .transient) { _ in try await housekeeper.watch(supervisor) },
            ChildSpec("intake") { try await intake.run($0) },
            .supervisor("uploads", children: uploadChildren),
            .supervisor("covey") { self.coveyChildren() },
            .supervisor("devices", policy: SupervisorPolicy(stopOrder: .together, maximumChildren: Limits.devices)) {
                self.deviceChildren()
            },
            ChildSpec("discovery") { [parts] context in
                try await parts.discovery.run(context) { device in
                    guard let spec = self.deviceChild(device) else { return }
                    try await supervisor.add(spec, under: ["devices"])
                }
            },
            .supervisor("brokers", policy: SupervisorPolicy(stopOrder: .together)) { self.brokerChildren() },
            .supervisor("api") { self.apiChildren() },
        ]
    }

    // MARK: Devices

    private func deviceChildren() -> [ChildSpec] {
        parts.directory.all.compactMap { id, _ in deviceChild(id) }
    }

    /// The child of one device: its driver, or for a device that a link feeds, the watch over its silence.
    func deviceChild(_ id: DeviceID) -> ChildSpec? {
        guard let entry = parts.directory[id] else { return nil }
        guard let driver = drivers[id] ?? parts.live.current.driver(of: id) else { return silenceWatch(id, entry) }
        let intake = parts.intake
        return ChildSpec(
            id.rawValue, placement: driver.blocksThread ? .ownThread : .pool,
            heartbeat: Heartbeat(deadline: patience.heartbeat),
            backoff: Backoff(initial: patience.firstPause, maximum: .seconds(60)), exceeded: Self.coolDown,
            intensity: Self.tries
        ) { context in
            try await driver.run(intake.port(for: id) { context.heartbeat() })
        }
    }

    private func silenceWatch(_ id: DeviceID, _ entry: DeviceDirectory.Entry) -> ChildSpec {
        let clock = parts.clock
        let log = parts.log
        return ChildSpec(id.rawValue, exceeded: Self.coolDown, intensity: Self.tries) { _ in
            while true {
                let next = await entry.device.silenceDeadline ?? clock.now.advanced(by: .seconds(3600))
                try await clock.sleep(until: max(next, clock.now.advanced(by: .seconds(1))))
                if let notice = await entry.device.checkSilence(now: clock.now) {
                    log.line(.warning, source: "device \(id) silence", "device \(id): \(notice)")
                }
            }
        }
    }

    // MARK: Brokers

    private func brokerChildren() -> [ChildSpec] {
        parts.ingestLinks.all.map { ingestChild($0.name) }
            + parts.publishLinks.map { name, link in
                linkChild("\(name)/publish") { try await link.run(heartbeat: $0.heartbeat) }
            }
    }

    /// The child that reads from a broker: with the link that is the broker's when it starts.
    func ingestChild(_ broker: String) -> ChildSpec {
        let links = parts.ingestLinks
        return linkChild(Self.ingestChildName(broker)) { try await links[broker]?.run(heartbeat: $0.heartbeat) }
    }

    static func ingestChildName(_ broker: String) -> String { "\(broker)/ingest" }

    private func linkChild(_ id: String, _ body: @escaping @Sendable (ChildContext) async throws -> Void) -> ChildSpec {
        ChildSpec(
            id, heartbeat: Heartbeat(deadline: .seconds(120)), backoff: Self.backoff, exceeded: Self.coolDown,
            intensity: Self.tries, start: body)
    }

    // MARK: Uploads

    private func uploadChildren() -> [ChildSpec] {
        zip(configuration.uploads, parts.sinks).map { upload, runner in
            ChildSpec(
                upload.name, shutdownDeadline: .milliseconds(500), backoff: Self.backoff, exceeded: Self.coolDown,
                intensity: Self.tries
            ) { try await runner.run($0) }
        }
    }

    // MARK: Covey

    private func coveyChildren() -> [ChildSpec] {
        guard let link = parts.peerLink, let cluster = configuration.cluster else { return [] }
        let (gateway, logger) = (parts.gateway, logger)
        let list = SeedList(gateway: gateway, link: link)
        let finder = SeedFinder(
            seeds: cluster.seeds, joined: parts.joined, link: link, list: list, clock: parts.clock, log: parts.log)
        var children = [
            ChildSpec("link", backoff: Self.backoff, exceeded: Self.linkCoolDown, intensity: Self.tries) { _ in
                try await link.run(gateway) {
                    logger.notice("the covey reaches this gateway at \(link.address), port \($0)")
                }
            },
            ChildSpec("seeds", backoff: Self.backoff, exceeded: Self.linkCoolDown, intensity: Self.tries) {
                try await finder.run($0)
            },
        ]
        if let watch = link.watch {
            let neighbours = NeighbourFinder(
                name: parts.name, link: link, seeds: list, watch: watch, clock: parts.clock, logger: logger)
            let child = ChildSpec(
                "mdns", placement: .ownThread, backoff: Self.backoff, exceeded: Self.linkCoolDown, intensity: Self.tries
            ) { _ in try await neighbours.run() }
            children.append(child)
        }
        return children
    }

    // MARK: Faces

    private func apiChildren() -> [ChildSpec] {
        let surface = GatewaySurface(parts: parts, supervisor: supervisor, logger: logger)
        let (logger, manager) = (logger, manager)
        let name = parts.name
        var children = [
            ChildSpec("socket", backoff: Self.backoff, exceeded: Self.coolDown, intensity: Self.tries) {
                [configuration, parts] _ in
                await parts.firstContact.wait(clock: parts.clock)
                let server = ControlServer(
                    .unix(path: configuration.api.socket), version: Self.version, surface: surface)
                try await server.run { endpoint in
                    logger.notice("gateway \(name) is ready; ask it over \(endpoint)")
                    manager.ready(status: "gateway \(name) runs")
                }
            }
        ]
        if let listen = configuration.api.listen {
            let child = ChildSpec("listen", backoff: Self.backoff, exceeded: Self.coolDown, intensity: Self.tries) {
                _ in
                let server = ControlServer(
                    .tcp(host: listen.host, port: listen.port), version: Self.version, surface: surface)
                try await server.run { logger.notice("HTTP on \($0)") }
            }
            children.append(child)
        }
        return children
    }
}

extension GatewayConfiguration {
    /// The driver of a configured device; `nil` for one that a link feeds.
    func driver(of id: DeviceID) -> (any Driver)? {
        switch devices.first(where: { $0.id == id.rawValue })?.source {
        case .gpio(let source): source.driver
        case .simulated(let settings): SimulatedDriver(settings)
        case .mqtt, nil: nil
        }
    }
}
