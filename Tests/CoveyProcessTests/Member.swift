import FoundationEssentials
import Glibc
import Synchronization
import TestKit

/// One gateway of a fleet, and the site around it.
final class Member: Sendable {
    let name: String
    let port: Int
    let broker: MosquittoBroker
    let publisher: CountingPublisher
    /// What the publisher's messages are from.
    let device: String
    private let directory: String
    private let running = Mutex<ChildProcess?>(nil)

    /// The newest process.
    var process: ChildProcess? { running.withLock { $0 } }

    var configuration: String { "\(directory)/\(name).toml" }
    private var socket: String { "\(directory)/\(name).sock" }
    var dataDirectory: String { "\(directory)/\(name)" }

    init(_ index: Int, directory: String, port: Int) throws {
        name = "covey-gw\(index)"
        device = "boilerroom\(index)"
        self.port = port
        self.directory = directory
        broker = try MosquittoBroker(options: Site.generous)
        publisher = CountingPublisher(port: broker.port, clientID: "load-\(index)")
    }

    var keyCopy: String { "\(dataDirectory)/cluster.key" }

    /// - Parameter cluster: More lines of `[cluster]`.
    func configure(
        acks: Int, window: String, keyFile: String, seeds: [Int], sinkPort: Int, cluster: [String] = []
    ) throws {
        let text = """
            [gateway]
            name     = "\(name)"
            data_dir = "\(dataDirectory)"
            clock    = "always"
            [api]
            socket = "\(socket)"
            [storage]
            ring_size     = "32 MiB"
            commit_window = "\(window)"
            acks          = \(acks)
            [cluster]
            listen   = "127.0.0.1:\(port)"
            seeds    = [\(seeds.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", "))]
            key_file = "\(keyFile)"
            \(cluster.joined(separator: "\n"))
            [[broker]]
            name = "local"
            url  = "mqtt://127.0.0.1:\(broker.port)"
            [[device]]
            id      = "{device}"
            driver  = "mqtt"
            broker  = "local"
            topic   = "load/{device}"
            decoder = "number"
            [[upload]]
            name   = "cloud"
            sink   = "http"
            url    = "http://127.0.0.1:\(sinkPort)/v1/readings"
            linger = "50 ms"

            """
        try MosquittoBroker.write(text, to: configuration)
    }

    /// Returns when it is ready.
    func start() async throws {
        let started = try ChildProcess(Site.program, ["run", "--config", configuration])
        running.withLock { $0 = started }
        guard await started.waitForLog(containing: "is ready"),
            await started.waitForLog(containing: "subscribed to load/")
        else { throw ChildFailure(description: "\(name) ended:\n" + started.log.joined(separator: "\n")) }
    }

    func kill() async { await process?.kill() }

    func removeDisk() { _ = system("rm -rf '\(dataDirectory)'") }

    /// Sends the next numbers; returns when the broker has acknowledged all.
    func publish(_ count: Int, rate: Double? = nil) async throws {
        let topic = "load/\(device)"
        try await publisher.publish(count: count, rate: rate) { (topic, Array(String($0).utf8)) }
    }

    /// Runs another verb of the program on this gateway.
    func ask(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(Site.program, arguments + ["--socket", socket])
    }

    func status() async throws -> Status {
        let asked = try ChildProcess(Site.program, ["status", "--json", "--socket", socket])
        _ = await asked.ending()
        let text = asked.log.joined(separator: "\n")
        do {
            return try JSONDecoder().decode(Status.self, from: Data(text.utf8))
        } catch {
            throw ChildFailure(description: "status of \(name): \(error): \(text.prefix(300))")
        }
    }
}
