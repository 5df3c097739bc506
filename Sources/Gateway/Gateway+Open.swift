package import TOMLConfiguration
import ClusterLink
import ControlAPI
package import Devices
import Environment
import GatewayCore
import HTTPSinks
import KeyValue
import LogFormat
package import Logging
import MQTTLink
import Membership
package import Model
import Posix
import Replication
import RingLog
import Sinks
import Supervision

extension Gateway {
    /// Opens the data directory and makes every part; nothing runs yet. Throws a ``GatewayError`` or an ``InstanceLockError`` in words
    /// that say what to do.
    ///
    /// - Parameters:
    ///   - drivers: Drivers that stand in for those of configured devices: for parts of a board that no configuration can name.
    ///   - patience: How long drivers are waited for.
    ///   - threshold: What a reload moves where `[log] level` changed.
    package static func open(
        _ configuration: GatewayConfiguration, logger: Logger, drivers: [DeviceID: any Driver] = [:],
        patience: Patience = Patience(), threshold: LogThreshold = LogThreshold(.notice)
    ) async throws -> Gateway {
        do {
            try File.makeDirectory(configuration.gateway.dataDirectory)
        } catch {
            // Then the gateway runs without, and says so when it opens what should lie there.
            guard error.isOfTheDisk else { throw error }
        }
        // Under systemd it is there already; by hand it may not be, and the socket's own error says the rest.
        let socket = configuration.api.socket
        if let slash = socket.lastIndex(of: "/") { try? File.makeDirectory(String(socket[..<slash])) }
        let lock = try InstanceLock(directory: configuration.gateway.dataDirectory)
        let clock = SystemClock(trust: configuration.gateway.clock.rule)
        let log = LimitedLog(logger: logger, clock: clock)
        let logger = log.logger
        var random = SystemRandomNumberGenerator()
        let storage = try await Storage.open(configuration, now: clock.now, random: &random)
        for finding in storage.findings { logger.warning("\(finding)") }

        let threads = try StorageThreads()
        let assembly = Assembly(
            configuration: configuration, storage: storage, clock: clock, threads: threads, log: log)
        let transport = HTTPTransport()
        let parts = try await assembly.make(transport: transport, seed: random.next())
        return Gateway(
            configuration: configuration, parts: parts, logger: logger, drivers: drivers,
            patience: patience, threshold: threshold, lock: lock, transport: transport)
    }
}

/// Puts the parts of one gateway together, in the order in which they need one another.
private struct Assembly {
    let configuration: GatewayConfiguration
    let storage: Storage
    let clock: SystemClock
    let threads: StorageThreads
    let log: LimitedLog

    private var name: String { configuration.gateway.name }

    func make(transport: HTTPTransport, seed: UInt64) async throws -> Gateway.Parts {
        let instruments = Instruments(
            brokers: configuration.brokers.map(\.name), sinks: configuration.uploads.map(\.name))
        let tails = TailHub()
        let publishLinks = configuration.publishingBrokers.map { (name: $0.name, link: publisher($0, seed: seed)) }
        let topics = LocalTopics(
            gateway: name,
            publishers: configuration.brokers.filter(\.publish).compactMap { broker in
                publishLinks.first { $0.name == broker.name }?.link
            })
        let queues = configuration.uploads.map { _ in
            Mailbox<GatewayActor.SendOrder>(capacity: 2 * Limits.chunksInFlight, overflow: .refuse)
        }
        let peerLink = try configuration.cluster.map { cluster throws(GatewayError) in
            try PeerLink(
                cluster, node: storage.node, dataDirectory: configuration.gateway.dataDirectory)
        }
        let departure = Departure()
        let joined = JoinedSeeds()
        await joined.load(from: storage.store, log: log)
        let news = SharedBrokers.makeNews()
        let queries = RunningQueries()
        var outlets = outlets(queues, topics, tails, instruments, peerLink, departure, news)
        outlets.query = { queries.tell($0) }
        let directory = DeviceDirectory()
        outlets.pressure = { directory.pressure.percent = $0 }
        let (gateway, directives) = await makeCore(seed: seed, outlets: outlets, covey: peerLink.map(covey))

        let roster = DeviceRoster()
        let discovery = Discovery(store: storage.store, log: log)
        let sharing = peerLink.map { makeSharing($0, gateway, news) }
        let contact = FirstContact(filters: subscriptions)
        placeConfigured(directory, roster)
        await placeRemembered(discovery, directory, roster)
        let ingestLinks = try await IngestLinks(
            configuration, SubscriptionMemory(store: storage.store, logger: log.logger),
            IngestLinks.Surroundings(
                seed: seed, roster: roster, directory: directory, gateway: gateway, clock: clock,
                ownTopics: LocalTopics.prefix(name), log: log, discovered: { _ = discovery.finds.offer($0) },
                sharing: sharing,
                events: { linkEvents($0, contact, instruments, sessionLost: $1) }))
        let publishers = Dictionary(uniqueKeysWithValues: publishLinks.map { ($0.name, $0.link) })
        let sinks = zip(configuration.uploads, queues).enumerated().map { index, pair in
            SinkRunner(
                index: index, label: pair.0.name,
                sink: sink(pair.0, transport, publishers),
                orders: pair.1, gateway: gateway, node: storage.node, name: name, disk: storage.disk, threads: threads,
                clock: clock, instruments: instruments)
        }
        await gateway.begin(directives)
        return Gateway.Parts(
            name: name, live: LiveConfiguration(configuration, since: clock.stamp.wall), node: storage.node,
            clock: clock, startedAt: clock.now, disk: storage.disk, threads: threads,
            gateway: gateway, peerLink: peerLink, departure: departure, joined: joined, directory: directory,
            roster: roster,
            store: storage.store,
            tails: tails,
            queries: queries,
            log: log,
            instruments: instruments,
            ingestLinks: ingestLinks, sharing: sharing, publishLinks: publishLinks, sinks: sinks,
            intake: Intake(directory: directory, gateway: gateway, clock: clock, log: log), discovery: discovery,
            firstContact: contact, findings: storage.findings)
    }

    // MARK: Core

    /// What the core is to its covey.
    private func covey(_ link: PeerLink) -> ClusterSetup {
        var setup = ClusterSetup(
            node: storage.node, name: String(decoding: name.utf8.prefix(MembershipLimits.nameBytes), as: UTF8.self),
            address: link.address, sinks: configuration.uploads.map(\.sinkID))
        setup.acks = configuration.storage.acks
        if link.isKeyed { setup.identifyKey = { KeySecret.identify($0) } }
        switch configuration.cluster?.replicas {
        case .count(let count): setup.replication.copies = .number(count)
        case .all, nil: break
        }
        return setup
    }

    /// A board that has no address yet shares brokers on its loop with nobody, unless the covey lives there.
    private func makeSharing(
        _ link: PeerLink, _ gateway: GatewayActor, _ news: SharedBrokers.News
    ) -> SharedBrokers {
        let isOnLoop = (configuration.cluster?.advertise ?? configuration.cluster?.listen)?.isLoopback ?? false
        return SharedBrokers(gateway: gateway, clock: clock, news: news) {
            guard let host = link.address.parts?.host else { return nil }
            return isOnLoop || !HostPort(host: host, port: 1).isLoopback ? host : nil
        }
    }

    private func makeCore(
        seed: UInt64, outlets: GatewayActor.Outlets, covey: ClusterSetup?
    ) async -> (GatewayActor, [GatewayDirective]) {
        var settings = GatewayCore.Settings()
        settings.clockWait = configuration.storage.clockWait
        settings.scrubInterval = configuration.storage.scrubInterval
        if configuration.storage.whenFull == .downsample {
            settings.downsampleWindow = configuration.storage.downsampleWindow
        }
        let setups = configuration.uploads.map {
            GatewayCore.SinkSetup(name: $0.name, isRequired: $0.required, settings: $0.settings)
        }
        let (ring, disk, boot, now) = (storage.ring, storage.disk, clock.boot, clock.now)
        let resumed = await Task(executorPreference: threads.reader) { [settings] in
            GatewayCore.resume(
                ring: ring, disk: disk, sinks: setups, settings: settings, random: SeededRandom(seed: seed), boot: boot,
                cluster: covey, now: now)
        }.value
        var core = resumed.core
        core.keep(storage.node, name: name)
        let actor = GatewayActor(core: core, disk: storage.disk, clock: clock, threads: threads, outlets: outlets)
        return (actor, resumed.directives)
    }

    private func outlets(
        _ queues: [Mailbox<GatewayActor.SendOrder>], _ topics: LocalTopics, _ tails: TailHub,
        _ instruments: Instruments, _ peerLink: PeerLink?, _ departure: Departure, _ news: SharedBrokers.News
    ) -> GatewayActor.Outlets {
        let log = log
        let owner = LogOwners.Owner(node: storage.node, name: name)
        var outlets = GatewayActor.Outlets(
            send: { queues[$0].offer($1) == nil },
            stored: { readings, clock in
                topics.announce(readings)
                guard tails.isFollowed else { return }
                for stored in readings {
                    tails.publish(stored.reading.series) { stored.line(owner: owner, clock: clock) }
                }
            },
            report: { log.report($0) },
            committed: { instruments.committed($0, in: $1) })
        if let peerLink {
            outlets.datagram = { peerLink.send(datagram: $0, to: $1) }
            outlets.frame = { peerLink.send(frame: $0, to: $1) }
            outlets.left = { departure.said() }
            outlets.keepKeys = { peerLink.keep($0) }
            outlets.fluent = { peerLink.speakFirstKey(to: $0) }
            outlets.brokers = { news.offer($0) }
        }
        return outlets
    }

    // MARK: Devices

    private func placeConfigured(_ directory: DeviceDirectory, _ roster: DeviceRoster) {
        for device in configuration.devices {
            guard !device.isPattern, let id = DeviceID(validating: device.id), roster.admit(id) else { continue }
            directory.place(id, device, now: clock.now)
        }
    }

    private func placeRemembered(_ discovery: Discovery, _ directory: DeviceDirectory, _ roster: DeviceRoster) async {
        do {
            for find in try await discovery.remembered() {
                guard let device = configuration.device(configuredAs: find.pattern), roster.admit(find.device) else {
                    continue
                }
                directory.place(find.device, device, now: clock.now)
            }
        } catch {
            log.logger.warning(
                "the devices of earlier runs cannot be read; they appear again as they speak: \(error.message)")
        }
    }

    // MARK: Links

    /// What is subscribed to at all brokers, each filter with its broker's name before it.
    private var subscriptions: Set<String> {
        var subscriptions: Set<String> = []
        for device in configuration.devices {
            guard case .mqtt(let source) = device.source, let filter = try? TopicFilter(source.topic) else { continue }
            subscriptions.insert("\(source.broker) \(filter.subscription)")
        }
        return subscriptions
    }

    private func sink(
        _ upload: UploadConfiguration, _ transport: HTTPTransport, _ publishers: [String: PublishLink]
    ) -> any Sink {
        let (name, logger) = (name, log.logger)
        let make = { @Sendable () throws(GatewayError) -> any Sink in
            try upload.makeSink(gateway: name, transport: transport, publishers: publishers)
        }
        do {
            return try make()
        } catch {
            logger.error("\(error); this upload waits for it, everything else runs")
            return LateSink(make)
        }
    }

    private func publisher(_ broker: BrokerConfiguration, seed: UInt64) -> PublishLink {
        let settings = broker.settings(commitWindow: configuration.storage.commitWindow, clientSuffix: "-publish")
        return PublishLink(
            settings: settings, presence: broker.publish ? LocalTopics.presence(name) : nil, seed: seed &+ 1,
            events: linkEvents(broker.name + "/publish"))
    }

    private func linkEvents(
        _ name: String, _ contact: FirstContact? = nil, _ instruments: Instruments? = nil,
        sessionLost: @escaping @Sendable () -> Void = {}
    ) -> @Sendable (LinkEvent) -> Void {
        let log = log
        return { event in
            switch event {
            case .connecting: break
            case .batch(let count, _, let window, _): instruments?.acknowledged(count, of: name, window: window)
            case .connected(let sessionPresent, let version):
                log.line(
                    .notice, source: "broker \(name) connected", burst: 2,
                    "broker \(name): connected (\(version)\(sessionPresent ? ", session resumed" : ""))")
                if !sessionPresent { sessionLost() }
            case .disconnected(let failure, let retry):
                log.line(
                    // Another reason is news, the same one is not.
                    .warning, source: "broker \(name) \(failure.message)", burst: 2,
                    "broker \(name): \(failure.message); next try in \(retry.text)")
            case .sessionForgotten:
                log.line(
                    .warning, source: "broker \(name) session",
                    "broker \(name): it has forgotten our session and what it kept for us: see its persistence")
            case .subscribed(let filter, let qos):
                log.line(
                    .info, source: "broker \(name) subscribed \(filter)",
                    "broker \(name): subscribed to \(filter) at QoS \(qos)")
                contact?.answered("\(name) \(filter)")
            case .refused(let filter, let reason):
                log.line(
                    .error, source: "broker \(name) refuses \(filter)", "broker \(name) refuses \(filter): \(reason)")
                contact?.answered("\(name) \(filter)")
            case .silent(let duration):
                log.line(
                    .warning, source: "broker \(name) silent",
                    "broker \(name): connected, but silent for \(duration.text)")
            case .heard: log.line(.notice, source: "broker \(name) heard", "broker \(name): messages come again")
            }
        }
    }
}
