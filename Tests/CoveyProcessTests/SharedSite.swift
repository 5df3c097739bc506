import FoundationEssentials
import Glibc
import Model
import Synchronization
import TestKit

/// Several gateways of one covey with the same brokers and devices in their configurations, all on one real broker, and one receiver.
final class SharedSite: Sendable {
    let directory: String
    let broker: MosquittoBroker
    let publisher: CountingPublisher
    let receiver = HTTPReceiver()
    let members: [SharedMember]
    private let sinkPort: Int
    /// Devices that the load comes from: so many that each gateway is sure to have some of them.
    static let topics = 60

    init(_ count: Int) async throws {
        var template = Array("/tmp/covey-shared-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /tmp can be made") }
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.directory = directory
        broker = try MosquittoBroker(options: Site.generous)
        publisher = CountingPublisher(port: broker.port, clientID: "load")
        sinkPort = try MosquittoBroker.freePort()
        try await Fleet.makeKey(at: directory + "/key")
        var ports: Set<Int> = []
        while ports.count < count { ports.insert(try MosquittoBroker.freePort()) }
        let seeds = ports.sorted()
        let shared = """
            [[broker]]
            name = "site"
            url  = "mqtt://127.0.0.1:\(broker.port)"
            [[device]]
            id      = "{device}"
            driver  = "mqtt"
            broker  = "site"
            topic   = "load/{device}"
            decoder = "number"
            [[upload]]
            name   = "cloud"
            sink   = "http"
            url    = "http://127.0.0.1:\(sinkPort)/v1/readings"
            linger = "50 ms"

            """
        members = try seeds.enumerated().map { index, port in
            let member = SharedMember(index, directory: directory)
            let own = """
                [gateway]
                name     = "\(member.name)"
                data_dir = "\(directory)/\(member.name)"
                clock    = "always"
                [api]
                socket = "\(directory)/\(member.name).sock"
                [storage]
                ring_size     = "32 MiB"
                commit_window = "100 ms"
                [cluster]
                listen   = "127.0.0.1:\(port)"
                seeds    = [\(seeds.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", "))]
                key_file = "\(directory)/key"

                """
            try MosquittoBroker.write(own + shared, to: member.configuration)
            return member
        }
        try await broker.start()
        try await receiver.start(port: sinkPort)
    }

    deinit {
        for member in members { member.process?.send(SIGKILL) }
        _ = system("rm -rf '\(directory)'")
    }

    /// Starts all, and returns when they share the broker.
    func start() async throws {
        for member in members { try await member.start() }
        try await waitUntilShared(by: members)
    }

    /// Returns when each of `members` takes its share and counts on just the others of them.
    func waitUntilShared(by members: [SharedMember]) async throws {
        for member in members {
            try await until("\(member.name) shares the broker with \(members.count - 1) others") {
                guard let sharing = try await member.sharing() else { return false }
                return sharing.state == "shares" && sharing.others.count == members.count - 1
            }
        }
    }

    /// Sends the next numbers, from one device after the other; returns when the broker has acknowledged all.
    func publish(_ count: Int, rate: Double) async throws {
        try await publisher.publish(count: count, rate: rate) {
            ("load/room\($0 % Self.topics)", Array(String($0).utf8))
        }
    }

    func waitForNumbers(_ count: Int) async throws {
        try await until("the receiver has \(count) different numbers") { self.compare().distinct >= count }
    }

    /// Numbers that came more than once, ascending.
    func doubledNumbers() -> [Int] {
        var seen: [Int: Int] = [:]
        for reading in receiver.readings() {
            if case .number(let number) = reading.value { seen[Int(number), default: 0] += 1 }
        }
        return seen.filter { $0.value > 1 }.keys.sorted()
    }

    /// How many numbers came, how many of those that the broker took are missing, and how many came more than once.
    func compare() -> (distinct: Int, missing: Int, doubled: Int) {
        var seen: [Int: Int] = [:]
        for reading in receiver.readings() {
            if case .number(let number) = reading.value { seen[Int(number), default: 0] += 1 }
        }
        let missing = publisher.acknowledgedNumbers.filter { seen[$0] == nil }.count
        return (seen.count, missing, seen.values.reduce(0) { $0 + $1 - 1 })
    }

    /// How many readings each gateway took, by its node.
    func shares() -> [String: Int] {
        var shares: [String: Int] = [:]
        for reading in receiver.readings() { shares["\(reading.node)", default: 0] += 1 }
        return shares
    }

    func end() async {
        for member in members { _ = await member.process?.terminate() }
        await broker.stop()
        await receiver.stop()
    }
}

/// One gateway of a ``SharedSite``.
final class SharedMember: Sendable {
    let name: String
    private let directory: String
    private let running = Mutex<ChildProcess?>(nil)

    init(_ index: Int, directory: String) {
        name = "covey-s\(index)"
        self.directory = directory
    }

    var configuration: String { "\(directory)/\(name).toml" }
    var process: ChildProcess? { running.withLock { $0 } }

    func start() async throws {
        let started = try ChildProcess(Site.program, ["run", "--config", configuration])
        running.withLock { $0 = started }
        guard await started.waitForLog(containing: "is ready") else {
            throw ChildFailure(description: "\(name) ended:\n" + started.log.joined(separator: "\n"))
        }
    }

    func kill() async { await process?.kill() }

    struct Sharing: Decodable {
        private enum CodingKeys: String, CodingKey {
            case state, others, waiting, dropped, rescued
            case stoodBy = "stood_by"
            case takenOver = "taken_over"
            case confirmed
        }

        let state: String
        let others: [String]
        let waiting: Int
        let stoodBy: Int
        let confirmed: Int
        let takenOver: Int
        let rescued: Int
        let dropped: Int
    }

    private struct Document: Decodable {
        struct Broker: Decodable { let shared: Sharing? }
        let brokers: [Broker]
    }

    /// How it stands with the broker.
    func sharing() async throws -> Sharing? {
        try JSONDecoder().decode(Document.self, from: Data(try await statusText().utf8)).brokers.first?.shared
    }

    func status() async throws -> Status {
        try JSONDecoder().decode(Status.self, from: Data(try await statusText().utf8))
    }

    private func statusText() async throws -> String {
        let asked = try ChildProcess(Site.program, ["status", "--json", "--socket", "\(directory)/\(name).sock"])
        _ = await asked.ending()
        return asked.log.joined(separator: "\n")
    }
}
