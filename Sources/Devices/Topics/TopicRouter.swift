package import Model

/// Says for each topic of one broker whose message it is. Devices appear as their topics do, as far as the roster has room.
///
/// One topic gives one device at most one delivery: where several routes lead to the same device, the first configured one wins, so that
/// overlapping filters do not double a device's readings.
package struct TopicRouter: Sendable {
    /// One device that gets the message.
    package struct Target: Hashable, Sendable {
        package let device: DeviceID
        /// Index in the routes that the router was made with.
        package let route: Int
    }

    /// What became of one topic.
    package struct Routing: Hashable, Sendable {
        /// In the order of the routes.
        package var targets: [Target] = []
        /// `bad-name`, `too-many-devices`, or `unknown-topic` where nobody takes the topic. Each counts as one message received.
        package var rejections: [Rejection] = []
    }

    private let routes: [TopicRoute]
    private let roster: DeviceRoster
    private var exact: [String: [Int]] = [:]
    private var open = TopicTrie()
    private var cache = RoutingCache()

    package init(routes: [TopicRoute], roster: DeviceRoster) {
        self.routes = routes
        self.roster = roster
        for (index, route) in routes.enumerated() {
            if route.filter.hasWildcard {
                open.insert(route.filter, route: index)
            } else {
                exact[route.filter.text, default: []].append(index)
            }
        }
    }

    /// What to subscribe to, each once, sorted.
    package var subscriptions: [String] { Set(routes.map(\.filter.subscription)).sorted() }

    /// Topics whose targets are remembered; bounded whatever is sent.
    package var rememberedTopics: Int { cache.count }

    /// Finds the devices that get a message of `topic`.
    package mutating func route(_ topic: String) -> Routing {
        if let known = cache[topic] { return Routing(targets: known) }
        let routing = find(topic)
        // What was rejected is not kept: a bomb of topics would push out the honest ones.
        if routing.rejections.isEmpty { cache[topic] = routing.targets }
        return routing
    }

    private func find(_ topic: String) -> Routing {
        let levels = TopicFilter.split(topic)
        var entries = exact[topic, default: []].map { TopicTrie.Entry(route: $0, captureLevel: nil) }
        entries += open.entries(for: levels)
        var routing = Routing()
        for entry in entries.sorted(by: { $0.route < $1.route }) {
            let capture = entry.captureLevel.map { levels[$0] }
            guard let device = routes[entry.route].device(capture: capture) else {
                let name = "\(excerpt((capture ?? "").utf8)) in \(excerpt(topic.utf8)) makes no device name"
                routing.rejections.append(Rejection(.badName, name))
                continue
            }
            if routing.targets.contains(where: { $0.device == device }) { continue }
            guard roster.admit(device) else {
                let name = "\(excerpt(device.rawValue.utf8)) would be one device too many"
                routing.rejections.append(Rejection(.tooManyDevices, name))
                continue
            }
            routing.targets.append(Target(device: device, route: entry.route))
        }
        if entries.isEmpty {
            routing.rejections.append(Rejection(.unknownTopic, "no device takes \(excerpt(topic.utf8))"))
        }
        return routing
    }
}

/// Recent topics and their targets, in two generations: when the younger is full, the older is forgotten whole, and what is asked for
/// again moves to the younger. Bounded, with no bookkeeping per look-up.
private struct RoutingCache: Sendable {
    /// Twice as many topics as there may be devices are remembered at most in each generation.
    private static let generationLimit = 2 * Limits.devices
    /// Longer topics are looked up each time, so that the memory of the cache stays within a few MiB.
    private static let topicBytes = 256

    private var young: [String: [TopicRouter.Target]] = [:]
    private var old: [String: [TopicRouter.Target]] = [:]

    var count: Int { young.count + old.count }

    subscript(topic: String) -> [TopicRouter.Target]? {
        mutating get {
            if let known = young[topic] { return known }
            guard let known = old[topic] else { return nil }
            self[topic] = known
            return known
        }
        set {
            guard topic.utf8.count <= Self.topicBytes else { return }
            if young.count >= Self.generationLimit {
                old = young
                young = [:]
            }
            young[topic] = newValue
        }
    }
}
