import Environment
import GatewayCore
import MQTTLink
import Model
import SharedFeeds
import Synchronization

/// A message that another gateway is to take, as this one remembers it.
struct StandbyMessage: Sendable {
    let inbound: InboundMessage
    let device: DeviceID
}

/// The shell of a ``SharedFeed``: one broker that other gateways of the covey may read as well.
actor SharedReader {
    typealias Shared = SharedMessage<StandbyMessage>
    typealias Takeover = @Sendable (TakenID, [Shared]) async -> Void

    nonisolated let id: BrokerID
    private var feed: SharedFeed<StandbyMessage>
    private let gateway: GatewayActor
    private let clock: any Environment.Clock
    private let newEpoch: @Sendable () -> UInt64
    /// Who waits until it is known whose his messages are.
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var takeover: Takeover?
    private var toTake: [(id: TakenID, messages: [Shared])] = []
    private var isTaking = false
    private var entries: [NodeID: SharedFeedEntry] = [:]
    private var waker: Task<Void, Never>?
    private var wakesAt: MonotonicInstant?
    private var isRetired = false
    /// Where the last message came from that another gateway takes, by device; as many as there may be devices.
    private var elsewhere: [DeviceID: (route: RouteID, topic: UInt64)] = [:]
    /// What the link's thread has told, in order.
    private nonisolated let linkNews = Mutex<[LinkNews]>([])
    private var wanted: [RouteID]
    /// Routes whose subscription the broker refuses on this connection.
    private var refused: Set<RouteID> = []
    private nonisolated let foreign = Mutex<Set<String>>([])

    enum LinkNews: Sendable {
        case up, down
        case refused([RouteID])
    }

    init(
        id: BrokerID, routes: [RouteID], gateway: GatewayActor, clock: any Environment.Clock, view: BrokerView,
        newEpoch: @escaping @Sendable () -> UInt64
    ) {
        self.id = id
        self.gateway = gateway
        self.clock = clock
        self.newEpoch = newEpoch
        wanted = routes
        feed = SharedFeed(node: view.own, reporter: newEpoch())
        // Nothing comes of these before there is a connection.
        _ = feed.step(.routes(routes), now: clock.now)
    }

    /// Who takes over what this gateway remembers.
    func begin(_ view: BrokerView, takeover: @escaping Takeover) async {
        self.takeover = takeover
        await learn(view)
    }

    // MARK: From the link and the feed

    /// From the link's thread, in order; does not wait.
    nonisolated func link(_ news: LinkNews) {
        linkNews.withLock { $0.append(news) }
        Task { await takeLinkNews() }
    }

    private func takeLinkNews() async {
        let news = linkNews.withLock { news in
            defer { news = [] }
            return news
        }
        for item in news {
            switch item {
            case .up:
                refused = []
                await step([served, .linkUp(epoch: newEpoch())])
            case .down: await step(.linkDown)
            case .refused(let routes):
                refused.formUnion(routes)
                await step(served)
            }
        }
    }

    /// What this gateway can read.
    private var served: SharedFeedEvent { .routes(wanted.filter { !refused.contains($0) }) }

    /// Returns when it is known what is to be done with each of these.
    func admit(_ messages: [Shared]) async -> (decisions: [SharedDecision], taken: TakenID?) {
        while true {
            if let admission = feed.admit(messages, now: clock.now) {
                scheduleWake()
                for (message, decision) in zip(messages, admission.decisions) where decision == .standBy {
                    elsewhere[message.payload.device] = (message.route, message.topic)
                }
                return admission
            }
            guard !isRetired else { return (messages.map { _ in .take }, nil) }
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func finished(_ id: TakenID) async { await step(.durable(id)) }

    func setRoutes(_ routes: [RouteID]) async {
        wanted = routes
        await step(served)
    }

    /// The link is gone for good, or another one reads from now on.
    func retire() async {
        isRetired = true
        waker?.cancel()
        wakeWaiters()
        await gateway.handle(.served(broker: id.rawValue, pages: []))
    }

    // MARK: From the covey

    func learn(_ view: BrokerView) async {
        foreign.withLock { $0 = Set(view.names) }
        var events: [SharedFeedEvent] = []
        let own = view.entries.filter { $0.broker == id.rawValue }
        var known: [NodeID: SharedFeedEntry] = [:]
        for node in Set(own.map(\.node)).sorted() {
            let pages = own.filter { $0.node == node }.map(\.page)
            // Where a page is on its way yet, what was said before stands.
            known[node] = SharedFeedEntry(pages: pages) ?? entries[node]
        }
        for node in Set(known.keys).union(entries.keys).sorted() where known[node] != entries[node] {
            events.append(.entry(known[node], of: node))
        }
        entries = known
        events.append(.members(own: view.own, present: view.present))
        await step(events)
    }

    func hear(_ payload: [UInt8], from node: NodeID) async { await step(.frame(payload, from: node)) }

    func lost(_ node: NodeID) async { await step(.lost(node)) }

    // MARK: Faces

    /// Names of other gateways, below which no devices speak.
    nonisolated func isForeign(_ name: String) -> Bool { foreign.withLock { $0.contains(name) } }

    var status: SharedFeedStatus { feed.status }

    /// The gateways that take messages of devices which came here too, by device.
    var owners: [DeviceID: NodeID] {
        elsewhere.compactMapValues { feed.owner($0.route, $0.topic) }
    }

    // MARK: Steps

    private func step(_ event: SharedFeedEvent) async { await step([event]) }

    private func step(_ events: [SharedFeedEvent]) async {
        guard !isRetired else { return }
        var outgoing: [GatewayEvent] = []
        for event in events {
            for directive in feed.step(event, now: clock.now) {
                switch directive {
                case .announce(let entry):
                    outgoing.append(.served(broker: id.rawValue, pages: entry?.pages ?? []))
                case .frame(let payload, let node):
                    outgoing.append(.brokerMessage(SharedBrokers.seal(payload, of: id), to: node))
                case .take(let id, let messages): toTake.append((id, messages))
                }
            }
        }
        scheduleWake()
        wakeWaiters()
        takeOver()
        // In one go, so that what is said leaves in the order in which it was decided.
        if !outgoing.isEmpty { await gateway.handle(outgoing) }
    }

    private func wakeWaiters() {
        let woken = waiting
        waiting.removeAll()
        for waiter in woken { waiter.resume() }
    }

    /// One part after the other, so that messages of a device keep their order.
    private func takeOver() {
        guard !isTaking, !toTake.isEmpty, let takeover else { return }
        isTaking = true
        Task {
            while let next = nextToTake() { await takeover(next.id, next.messages) }
        }
    }

    private func nextToTake() -> (id: TakenID, messages: [Shared])? {
        guard !toTake.isEmpty else {
            isTaking = false
            return nil
        }
        return toTake.removeFirst()
    }

    private func scheduleWake() {
        guard !isRetired, let moment = feed.wake else {
            waker?.cancel()
            waker = nil
            wakesAt = nil
            return
        }
        if wakesAt == moment { return }
        wakesAt = moment
        waker?.cancel()
        waker = Task { [clock, weak self] in
            do { try await clock.sleep(until: moment) } catch { return }
            await self?.wake()
        }
    }

    private func wake() async {
        wakesAt = nil
        await step(.tick)
    }
}
