import Devices
import Environment
import GatewayCore
import MQTTLink
import Model
import Synchronization
import TOMLConfiguration

/// The links that read devices from brokers: made from the configuration, and made anew where a reload changes it.
final class IngestLinks: Sendable {
    /// What all of them share.
    struct Surroundings: Sendable {
        let seed: UInt64
        let roster: DeviceRoster
        let directory: DeviceDirectory
        let gateway: GatewayActor
        let clock: any Environment.Clock
        /// Topics below this are our own announcements.
        let ownTopics: String
        let log: LimitedLog
        let discovered: @Sendable (Discovery.Find) -> Void
        /// `nil` where there is no covey.
        let sharing: SharedBrokers?
        /// What a link tells of itself, for the broker of this name; the closure is called where the broker has forgotten our session.
        let events:
            @Sendable (_ broker: String, _ sessionLost: @escaping @Sendable () -> Void) ->
                @Sendable (LinkEvent) ->
                Void
    }

    private struct Entry: Sendable {
        let feed: BrokerFeed
        let link: IngestLink
        let routes: [BrokerFeed.Route]
        let reader: SharedReader?
        let isShared: Bool
    }

    /// What a reload asks of the tree.
    enum Exchange {
        case nothing
        /// Done already: the same connection serves other topics.
        case routes
        /// A connection of its own: `take` puts the new link in place, once the old one has ended.
        case link(take: @Sendable () async -> Void)
    }

    private let surroundings: Surroundings
    private let memory: SubscriptionMemory
    private let entries: Mutex<[String: Entry]>

    init(
        _ configuration: GatewayConfiguration, _ memory: SubscriptionMemory, _ surroundings: Surroundings
    ) async throws {
        self.surroundings = surroundings
        self.memory = memory
        var entries: [String: Entry] = [:]
        for broker in configuration.brokers {
            let routes = try configuration.routes(from: broker.name)
            guard !routes.isEmpty else { continue }
            let held = await memory.exchange(broker.name, for: Self.filters(routes))
            entries[broker.name] = await Self.entry(broker, routes, held: held, configuration, surroundings)
        }
        self.entries = Mutex(entries)
    }

    /// By the broker's name.
    var all: [(name: String, link: IngestLink)] {
        entries.withLock { $0.map { (name: $0.key, link: $0.value.link) } }.sorted { $0.name < $1.name }
    }

    subscript(broker: String) -> IngestLink? { entries.withLock { $0[broker]?.link } }

    func remove(_ broker: String) async {
        let old = entries.withLock { $0.removeValue(forKey: broker) }
        if let reader = old?.reader { await surroundings.sharing?.remove(reader) }
    }

    /// Others take over what this gateway does not read any more.
    func noteEnd(of broker: String) { entries.withLock { $0[broker]?.reader }?.link(.down) }

    /// How each broker is shared with other gateways, where it may be; by the broker's name.
    var readers: [(name: String, reader: SharedReader)] {
        entries.withLock { entries in
            entries.compactMap { name, entry in entry.reader.map { (name: name, reader: $0) } }
        }.sorted { $0.name < $1.name }
    }

    /// Brings the link of `broker` to what `configuration` says. Messages that are on their way are taken by the old routes.
    func exchange(_ broker: BrokerConfiguration, in configuration: GatewayConfiguration) async throws -> Exchange {
        let routes = try configuration.routes(from: broker.name)
        let held = await memory.exchange(broker.name, for: Self.filters(routes))
        let window = Self.window(routes, configuration)
        guard let old = entries.withLock({ $0[broker.name] }), old.isShared == broker.shared,
            old.link.settings == broker.settings(commitWindow: window)
        else {
            return .link {
                await self.remove(broker.name)
                let new = await Self.entry(broker, routes, held: held, configuration, self.surroundings)
                self.entries.withLock { $0[broker.name] = new }
            }
        }
        if old.routes == routes { return .nothing }
        await old.feed.take(routes)
        old.link.setFilters(Self.filters(routes))
        await old.reader?.setRoutes(routes.map(\.shared))
        entries.withLock {
            $0[broker.name] = Entry(
                feed: old.feed, link: old.link, routes: routes, reader: old.reader, isShared: old.isShared)
        }
        return .routes
    }

    private static func entry(
        _ broker: BrokerConfiguration, _ routes: [BrokerFeed.Route], held: [String],
        _ configuration: GatewayConfiguration, _ shared: Surroundings
    ) async -> Entry {
        let reader = broker.shared ? await shared.sharing?.add(broker, routes: routes.map(\.shared)) : nil
        let feed = BrokerFeed(
            broker: broker.name, routes: routes, roster: shared.roster, directory: shared.directory,
            gateway: shared.gateway, clock: shared.clock, ownTopics: shared.ownTopics, log: shared.log,
            reader: reader, discovered: shared.discovered)
        if let reader {
            await shared.sharing?.begin(reader) { [weak feed] in await feed?.takeOver($0, $1) }
        }
        let tell = shared.events(broker.name) { feed.sessionLost() }
        let link = IngestLink(
            settings: broker.settings(commitWindow: window(routes, configuration)), filters: filters(routes),
            held: held, seed: shared.seed,
            events: { event in
                tell(event)
                switch event {
                case .connected: reader?.link(.up)
                case .disconnected: reader?.link(.down)
                case .refused(let filter, _):
                    reader?.link(.refused(routes.filter { $0.topic.filter.subscription == filter }.map(\.shared)))
                default: break
                }
            },
            deliver: { await feed.deliver($0) })
        return Entry(feed: feed, link: link, routes: routes, reader: reader, isShared: broker.shared)
    }

    private static func window(_ routes: [BrokerFeed.Route], _ configuration: GatewayConfiguration) -> Duration {
        routes.map(\.device.commitWindow).min() ?? configuration.storage.commitWindow
    }

    private static func filters(_ routes: [BrokerFeed.Route]) -> [String] {
        Set(routes.map(\.topic.filter.subscription)).sorted()
    }
}

extension GatewayConfiguration {
    /// The devices that are read from this broker. Throws where a decoder or a topic cannot be used, which a loaded configuration rules out.
    func routes(from broker: String) throws -> [BrokerFeed.Route] {
        try devices.compactMap { device in
            guard case .mqtt(let source) = device.source, source.broker == broker else { return nil }
            guard let decoder = makeDecoder(named: source.decoder.rawValue, settings: source.decoding) else {
                throw GatewayError.part("device \(device.id)", "there is no decoder \(source.decoder.rawValue)")
            }
            let topic = try TopicRoute(filter: TopicFilter(source.topic), id: device.id)
            return BrokerFeed.Route(topic: topic, decoder: decoder, device: device, source: source)
        }
    }
}
