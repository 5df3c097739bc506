import Environment
import GatewayCore
import Model
import SharedFeeds
import Supervision
import Synchronization
import TOMLConfiguration

/// The brokers that other gateways of the covey may read as well, and what comes from the covey for them.
final class SharedBrokers: Sendable {
    typealias News = Mailbox<BrokerNews>

    /// What comes from the core's actor, in order. More wait than a few only while something hangs. Of what is lost then the view comes again
    /// with the next change, and a message costs doubles at worst.
    static func makeNews() -> News { News(capacity: 4096, overflow: .dropNewest) }

    private let gateway: GatewayActor
    private let clock: any Environment.Clock
    /// The host by which peers reach this gateway now; `nil` where it has none that others could know.
    private let host: @Sendable () -> String?
    private let readers = Mutex<[BrokerID: SharedReader]>([:])
    private let news: News

    init(gateway: GatewayActor, clock: any Environment.Clock, news: News, host: @escaping @Sendable () -> String?) {
        self.gateway = gateway
        self.clock = clock
        self.news = news
        self.host = host
    }

    /// The supervised child: hands on what comes from the covey.
    func run(_ context: ChildContext) async throws {
        while let items = try await news.next(upTo: 256) {
            context.heartbeat()
            for item in items { await take(item) }
        }
    }

    private func take(_ item: BrokerNews) async {
        switch item {
        case .view(let view): for reader in all { await reader.learn(view) }
        case .lost(let node): for reader in all { await reader.lost(node) }
        case .message(let bytes, let node):
            var parser = ByteReader(bytes, 0..<bytes.count)
            guard let id = try? parser.fixed(UInt64.self),
                let reader = readers.withLock({ $0[BrokerID(id)] })
            else { return }
            await reader.hear(Array(bytes[parser.position...]), from: node)
        }
    }

    /// The broker's id leads each message.
    static func seal(_ payload: [UInt8], of broker: BrokerID) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + payload.count)
        bytes.append(fixed: broker.rawValue)
        return bytes + payload
    }

    private var all: [SharedReader] {
        readers.withLock { readers in readers.values.sorted { $0.id < $1.id } }
    }

    /// A reader for that broker; `nil` where another element of the configuration names the same one already.
    func add(_ broker: BrokerConfiguration, routes: [RouteID]) async -> SharedReader? {
        guard let view = await gateway.read({ $0.brokerView }) else { return nil }
        let id = Self.id(of: broker.address, seenFrom: host(), node: view.own)
        let reader = SharedReader(id: id, routes: routes, gateway: gateway, clock: clock, view: view) {
            var random = SystemRandomNumberGenerator()
            return random.next()
        }
        let isNew = readers.withLock { readers in
            guard readers[id] == nil else { return false }
            readers[id] = reader
            return true
        }
        return isNew ? reader : nil
    }

    func begin(_ reader: SharedReader, takeover: @escaping SharedReader.Takeover) async {
        guard let view = await gateway.read({ $0.brokerView }) else { return }
        await reader.begin(view, takeover: takeover)
    }

    func remove(_ reader: SharedReader) async {
        readers.withLock { if $0[reader.id] === reader { $0[reader.id] = nil } }
        await reader.retire()
    }

    /// The same on every gateway that means the same broker: host and port, where a loop address stands for the gateway's own.
    static func id(of broker: HostPort, seenFrom own: String?, node: NodeID) -> BrokerID {
        guard broker.isLoopback else { return BrokerID("\(broker.host.lowercased()):\(broker.port)".stableHash) }
        return BrokerID("\((own ?? node.description).lowercased()):\(broker.port)".stableHash)
    }
}
