import FoundationEssentials
import Glibc
import Synchronization

/// One gateway of a fleet, and the site around it.
package final class Member: Sendable {
    /// Where a member is.
    struct Seat: Sendable {
        let host: String
        let port: Int
        /// What its programs are started under.
        let wrapper: [String]

        var address: String { "\(host):\(port)" }

        init(host: String, port: Int) {
            (self.host, self.port, wrapper) = (host, port, [])
        }

        init(in network: LabNetwork, at place: LabNetwork.Place) {
            (host, port, wrapper) = (network.address(place), 8472, network.wrapper(place))
        }
    }

    package let name: String
    package let broker: MosquittoBroker
    package let publisher: CountingPublisher
    /// What the publisher's messages are from.
    package let device: String
    private let seat: Seat
    private let directory: String
    private let running = Mutex<ChildProcess?>(nil)

    /// Of its cluster, UDP and TCP.
    package var port: Int { seat.port }
    /// The newest process.
    package var process: ChildProcess? { running.withLock { $0 } }

    package var configuration: String { "\(directory)/\(name).toml" }
    private var socket: String { "\(directory)/\(name).sock" }
    /// Of the broker of a member in a place of a network.
    package var brokerSocket: String { Self.brokerSocket(name, in: directory) }

    private static func brokerSocket(_ name: String, in directory: String) -> String { "\(directory)/\(name).mqtt" }

    package var dataDirectory: String { "\(directory)/\(name)" }
    package var keyFile: String { "\(directory)/\(name).key" }
    /// Where it keeps the keys that orders brought.
    package var keyCopy: String { "\(dataDirectory)/cluster.key" }

    init(_ index: Int, directory: String, seat: Seat) throws {
        name = "covey-gw\(index)"
        device = "boilerroom\(index)"
        self.seat = seat
        self.directory = directory
        if seat.wrapper.isEmpty {
            broker = try MosquittoBroker(options: Site.generous)
            publisher = CountingPublisher(port: broker.port, clientID: "load-\(index)")
        } else {
            // Sensors are at the gateway's side of any cut.
            let socket = Self.brokerSocket(name, in: directory)
            let options = Site.generous + ["listener 0 \(socket)"]
            broker = try MosquittoBroker(options: options, under: seat.wrapper)
            publisher = CountingPublisher(socket: socket, clientID: "load-\(index)")
        }
    }

    /// - Parameters:
    ///   - storage: More lines of `[storage]`.
    ///   - cluster: More lines of `[cluster]`.
    func configure(
        acks: Int, window: String, ring: String, seeds: [String], sink: String, storage: [String], cluster: [String]
    ) throws {
        let text = """
            [gateway]
            name     = "\(name)"
            data_dir = "\(dataDirectory)"
            clock    = "always"
            [api]
            socket = "\(socket)"
            [storage]
            ring_size     = "\(ring)"
            commit_window = "\(window)"
            acks          = \(acks)
            \(storage.joined(separator: "\n"))
            [cluster]
            listen   = "\(seat.address)"
            seeds    = [\(seeds.map { "\"\($0)\"" }.joined(separator: ", "))]
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
            name    = "cloud"
            sink    = "http"
            url     = "http://\(sink)/v1/readings"
            headers = { "X-Brought-By" = "\(name)" }
            linger  = "50 ms"

            """
        try MosquittoBroker.write(text, to: configuration)
    }

    /// Returns when it is ready.
    /// - Parameter tool: A program and its arguments to start it under.
    package func start(under tool: [String] = []) async throws {
        let words = seat.wrapper + tool + [Site.program, "run", "--config", configuration]
        let started = try ChildProcess(words[0], Array(words.dropFirst()))
        running.withLock { $0 = started }
        guard await started.waitForLog(containing: "is ready"),
            await started.waitForLog(containing: "subscribed to load/")
        else { throw ChildFailure(description: "\(name) ended:\n" + started.log.joined(separator: "\n")) }
    }

    package func kill() async { await process?.kill() }

    package func removeDisk() { _ = system("rm -rf '\(dataDirectory)'") }

    /// Sends the next numbers; returns when the broker has acknowledged all.
    package func publish(_ count: Int, rate: Double? = nil) async throws {
        let topic = "load/\(device)"
        try await publisher.publish(count: count, rate: rate) { (topic, Array(String($0).utf8)) }
    }

    /// Runs another verb of the program on this gateway.
    package func ask(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(Site.program, arguments + ["--socket", socket])
    }

    package func status() async throws -> Status { try await answer(to: "status") }
    package func peers() async throws -> [PeerView] { try await answer(to: "peers") }
    package func uploads() async throws -> [UploadView] { try await answer(to: "uploads") }

    /// What a verb prints as JSON.
    private func answer<Answer: Decodable>(to verb: String) async throws -> Answer {
        let asked = try ChildProcess(Site.program, [verb, "--json", "--socket", socket])
        _ = await asked.ending()
        let text = asked.log.joined(separator: "\n")
        do {
            return try JSONDecoder().decode(Answer.self, from: Data(text.utf8))
        } catch {
            throw ChildFailure(description: "\(verb) of \(name): \(error): \(text.prefix(300))")
        }
    }
}
