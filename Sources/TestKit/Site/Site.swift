import FoundationEssentials
import Glibc
import Synchronization

/// A whole site on this machine: a real broker, the real program as a process of its own, a receiver in the cloud's place.
package final class Site: Sendable {
    package let directory: String
    package let broker: MosquittoBroker
    package let receiver = HTTPReceiver()
    package let sinkPort: Int
    package let configuration: String
    private let process = Mutex<ChildProcess?>(nil)

    /// The newest process of the gateway.
    package var gateway: ChildProcess? { process.withLock { $0 } }

    /// - Parameter more: TOML behind the broker, the load devices and the upload that every site has.
    package init(
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
            broker  = "local"
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
    package static let generous = ["max_inflight_messages 2000", "max_queued_messages 1000000"]

    deinit {
        gateway?.send(SIGKILL)
        // A site's folder is a tree; there is nothing else in it.
        _ = system("rm -rf '\(directory)'")
    }

    /// The program that was built with this test.
    package static let program: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let path = String(decoding: buffer[..<max(0, count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/covey"
    }()

    /// Starts the gateway, perhaps under another program such as `strace`, and returns when it is ready.
    package func start(under wrapper: [String] = []) async throws {
        let words = wrapper + [Self.program, "run", "--config", configuration]
        let started = try ChildProcess(words[0], Array(words.dropFirst()))
        process.withLock { $0 = started }
        // On a busy machine the gateway may answer before the broker has.
        guard await started.waitForLog(containing: "is ready"),
            await started.waitForLog(containing: "subscribed to load/")
        else {
            throw ChildFailure(description: "the gateway ended:\n" + started.log.joined(separator: "\n"))
        }
    }

    package func kill() async {
        await gateway?.kill()
    }

    package func terminate() async -> ChildProcess.Ending? {
        await gateway?.terminate()
    }

    package func end() async {
        _ = await terminate()
        await receiver.stop()
        await broker.stop()
    }

    /// Runs a verb of the program against this site's gateway.
    package func ask(_ words: String...) async throws -> (ending: ChildProcess.Ending, lines: [String]) {
        let asked = try ChildProcess(Self.program, words + ["--socket", directory + "/covey.sock"])
        let ending = await asked.ending()
        return (ending, asked.log)
    }

    package func status() async throws -> Status {
        try JSONDecoder().decode(Status.self, from: Data(try await statusText().utf8))
    }

    /// What `covey status --json` prints.
    package func statusText() async throws -> String {
        try await ask("status", "--json").lines.joined(separator: "\n")
    }
}
