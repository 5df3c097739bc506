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
    }

    /// What a reload asks of the tree.
    enum Exchange {
        case nothing
        /// Done already: the same connection serves other topics.
        case routes
        /// A connection of its own: `take` puts the new link in place, once the old one has ended.
        case link(take: @Sendable () -> Void)
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
            entries[broker.name] = Self.entry(broker, routes, held: held, configuration, surroundings)
        }
        self.entries = Mutex(entries)
    }

    /// By the broker's name.
    var all: [(name: String, link: IngestLink)] {
        entries.withLock { $0.map { (name: $0.key, link: $0.value.link) } }.sorted { $0.name < $1.name }
    }

    subscript(broker: String) -> IngestLink? { entries.withLock { $0[broker]?.link } }

    func remove(_ broker: String) { entries.withLock { $0[broker] = nil } }

    /// Brings the link of `broker` to what `configuration` says. Messages that are on their way are taken by the old routes.
    func exchange(_ broker: BrokerConfiguration, in configuration: GatewayConfiguration) async throws -> Exchange {
        let routes = try configuration.routes(from: broker.name)
        let held = await memory.exchange(broker.name, for: Self.filters(routes))
        let new = Self.entry(broker, routes, held: held, configuration, surroundings)
        guard let old = entries.withLock({ $0[broker.name] }), old.link.settings == new.link.settings else {
            return .link { self.entries.withLock { $0[broker.name] = new } }
        }
        if old.routes == routes { return .nothing }
        await old.feed.take(routes)
        old.link.setFilters(Self.filters(routes))
        entries.withLock { $0[broker.name] = Entry(feed: old.feed, link: old.link, routes: routes) }
        return .routes
    }

    private static func entry(
        _ broker: BrokerConfiguration, _ routes: [BrokerFeed.Route], held: [String],
        _ configuration: GatewayConfiguration, _ shared: Surroundings
    ) -> Entry {
        let feed = BrokerFeed(
            broker: broker.name, routes: routes, roster: shared.roster, directory: shared.directory,
            gateway: shared.gateway, clock: shared.clock, ownTopics: shared.ownTopics, log: shared.log,
            discovered: shared.discovered)
        let window = routes.map(\.device.commitWindow).min() ?? configuration.storage.commitWindow
        let link = IngestLink(
            settings: broker.settings(commitWindow: window), filters: filters(routes), held: held,
            seed: shared.seed, events: shared.events(broker.name) { feed.sessionLost() },
            deliver: { await feed.deliver($0) })
        return Entry(feed: feed, link: link, routes: routes)
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
            return BrokerFeed.Route(topic: topic, decoder: decoder, device: device)
        }
    }
}
