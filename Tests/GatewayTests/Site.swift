import FoundationEssentials
import Glibc
import Model
import TestKit

/// A whole site on this machine: a real broker, the real program as a process of its own, a receiver in the cloud's place.
final class Site {
    let directory: String
    let broker: MosquittoBroker
    let receiver = HTTPReceiver()
    let sinkPort: Int
    private(set) var gateway: ChildProcess?
    let configuration: String

    /// - Parameter more: TOML behind the broker, the load devices and the upload that every site has.
    init(
        ringSize: String = "32 MiB", window: String = "50 ms", brokerOptions: [String] = Site.generous,
        more: String = ""
    ) async throws {
        var template = Array("/tmp/covey-site-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /tmp can be made") }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        broker = try MosquittoBroker(options: brokerOptions)
        try await broker.start()
        sinkPort = try await receiver.start()
        configuration = directory + "/covey.toml"
        let text = """
            [gateway]
            name     = "site"
            data_dir = "\(directory)/data"
            clock    = "always"
            [api]
            socket = "\(directory)/covey.sock"
            [storage]
            ring_size     = "\(ringSize)"
            commit_window = "\(window)"
            [[broker]]
            name = "local"
            url  = "mqtt://127.0.0.1:\(broker.port)"
            [[device]]
            id      = "{device}"
            driver  = "mqtt"
            topic   = "load/{device}"
            decoder = "number"
            [[upload]]
            name   = "cloud"
            sink   = "http"
            url    = "http://127.0.0.1:\(sinkPort)/v1/readings"
            linger = "50 ms"

            """
        try MosquittoBroker.write(text + more, to: configuration)
    }

    /// A broker that keeps what a gateway away from it has not taken.
    static let generous = ["max_inflight_messages 2000", "max_queued_messages 1000000"]

    deinit {
        gateway?.send(SIGKILL)
        // A site's folder is a tree; there is nothing else in it.
        _ = system("rm -rf '\(directory)'")
    }

    /// The program that was built with this test.
    static let program: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let path = String(decoding: buffer[..<max(0, count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/covey"
    }()

    /// Starts the gateway, perhaps under another program such as `strace`, and returns when it is ready.
    func start(under wrapper: [String] = []) async throws {
        let words = wrapper + [Self.program, "run", "--config", configuration]
        let process = try ChildProcess(words[0], Array(words.dropFirst()))
        gateway = process
        // On a busy machine the gateway may answer before the broker has.
        guard await process.waitForLog(containing: "is ready"), await process.waitForLog(containing: "subscribed to")
        else {
            throw ChildFailure(description: "the gateway ended:\n" + process.log.joined(separator: "\n"))
        }
    }

    func kill() async {
        await gateway?.kill()
    }

    func terminate() async -> ChildProcess.Ending? {
        await gateway?.terminate()
    }

    func end() async {
        _ = await terminate()
        await receiver.stop()
        await broker.stop()
    }

    /// Runs a verb of the program against this site's gateway.
    func ask(_ words: String...) async throws -> (ending: ChildProcess.Ending, lines: [String]) {
        let asked = try ChildProcess(Self.program, words + ["--socket", directory + "/covey.sock"])
        let ending = await asked.ending()
        return (ending, asked.log)
    }

    func status() async throws -> Status {
        let lines = try await ask("status", "--json").lines
        return try JSONDecoder().decode(Status.self, from: Data(lines.joined(separator: "\n").utf8))
    }
}

/// The members of `covey status --json` that these tests look at.
struct Status: Decodable {
    struct Ledger: Decodable {
        struct Sink: Decodable {
            let stored: Int
            let uploaded: Int
            let pending: Int
            let refused: Int
            let evicted: [String: Int]
            let damaged: Int

            var balances: Bool { stored == uploaded + pending + refused + evicted.values.reduce(0, +) + damaged }
        }

        let received: Int
        let waiting: Int
        let stored: Int
        let duplicate: Int
        let rejected: [String: Int]
        let dropped: [String: Int]
        let sinks: [String: Sink]
        let streams: [Stream]

        struct Stream: Decodable {
            let device: String
            let received: Int
            let stored: Int
            let dropped: [String: Int]
            let sinks: [String: Sink]
        }

        subscript(device: String) -> Stream? { streams.first { $0.device == device } }

        /// Both equations, of the gateway and of every stream, and the streams add up to the sinks.
        var balances: Bool {
            sinks.allSatisfy { name, sink in
                let own = streams.compactMap { $0.sinks[name] }
                return sink.balances && own.count == streams.count && own.allSatisfy(\.balances)
                    && sink.stored == own.map(\.stored).reduce(0, +)
                    && sink.uploaded == own.map(\.uploaded).reduce(0, +)
                    && sink.pending == own.map(\.pending).reduce(0, +)
            } && received == waiting + stored + duplicate + rejected.values.reduce(0, +) + dropped.values.reduce(0, +)
        }
    }

    let gateway: String
    let node: String
    let health: String
    let ledger: Ledger
    let tree: Node
    let ring: Ring

    struct Ring: Decodable {
        struct Retired: Decodable {
            let segment: Int
            let reason: String
        }

        private enum CodingKeys: String, CodingKey {
            case segments, retired
            case retiredSegments = "retired_segments"
        }

        let segments: Int
        let retired: Int
        let retiredSegments: [Retired]
    }

    struct Node: Decodable {
        let id: String
        let state: String
        let restarts: Int
        let stuck: Int
        let abandoned: Int
        let children: [Node]?

        subscript(path: String...) -> Node? {
            path.reduce(self as Node?) { node, id in node?.children?.first { $0.id == id } }
        }
    }
}

/// What `publishers` sent, as the receiver should have it: publisher `p` sends 0, 1, 2 … to `load/p`.
struct Load {
    let publishers: [CountingPublisher]

    init(site: Site, publishers count: Int) {
        publishers = (0..<count).map { CountingPublisher(port: site.broker.port, clientID: "load-\($0)") }
    }

    /// Every publisher sends `count` messages at `rate` a second; returns when the broker has acknowledged all.
    func run(count: Int, rate: Double?) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, publisher) in publishers.enumerated() {
                group.addTask {
                    try await publisher.publish(count: count, rate: rate) { ("load/p\(index)", Array(String($0).utf8)) }
                }
            }
            try await group.waitForAll()
        }
    }

    var acknowledged: Int { publishers.reduce(0) { $0 + $1.acknowledged } }

    /// Sequence numbers that the broker acknowledged and the receiver lacks, and those that it has more than once, by publisher.
    func compare(with receiver: HTTPReceiver) -> (missing: Int, doubled: Int) {
        var seen: [String: [Int: Int]] = [:]
        for reading in receiver.readings() {
            if case .number(let number) = reading.value {
                seen[reading.device, default: [:]][Int(number), default: 0] += 1
            }
        }
        var missing = 0
        var doubled = 0
        for (index, publisher) in publishers.enumerated() {
            let got = seen["p\(index)"] ?? [:]
            missing += publisher.acknowledgedNumbers.filter { got[$0] == nil }.count
            doubled += got.values.filter { $0 > 1 }.count
        }
        return (missing, doubled)
    }
}
