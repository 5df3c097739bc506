import Glibc
import TestKit

/// What `make run` shows: a real broker, sensors that publish to it, three gateways as processes of their own, and a receiver in the
/// cloud's place. Ends on Ctrl-C, or after `--seconds N`.
@main
struct Demo {
    static let names = ["barn", "field", "house"]

    let directory: String
    let broker: MosquittoBroker
    let receiver: HTTPReceiver
    let tally: Tally
    let nodes: [Node]
    let program: String

    static func main() async {
        do {
            let end = EndSignal(seconds: try limit())
            let demo = try Demo()
            exit(await demo.run(until: end) ? 0 : 1)
        } catch {
            say("covey-demo: \(error)")
            exit(1)
        }
    }

    private static func limit() throws -> Int? {
        let words = CommandLine.arguments
        guard let place = words.firstIndex(of: "--seconds") else { return nil }
        guard place + 1 < words.count, let seconds = Int(words[place + 1]), seconds > 0 else {
            throw ChildFailure(description: "--seconds takes a whole number above zero")
        }
        return seconds
    }

    private init() throws {
        broker = try MosquittoBroker(options: Site.generous)
        var template = Array("/tmp/covey-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /tmp can be made") }
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // The gateway lies beside this program.
        let program = Site.program
        (self.directory, self.program) = (directory, program)
        let tally = Tally(names: Self.names)
        self.tally = tally
        receiver = HTTPReceiver(witness: { tally.take($0, headers: $1) })
        nodes = Self.names.map { Node(name: $0, program: program, directory: directory) }
    }

    /// Whether all went as it should.
    private func run(until end: EndSignal) async -> Bool {
        let sensors = Sensors(port: broker.port, sites: Self.names)
        let publishing: Task<Void, Never>?
        var isGood = true
        do {
            let port = try await prepare()
            publishing = Task { await sensors.run() }
            let story = Story(nodes: nodes, receiver: receiver, port: port, tally: tally, end: end)
            introduce(receiverPort: port)
            do { try await story.tell() } catch {
                if !(error is EndSignal.Asked) {
                    isGood = false
                    say("\ncovey-demo: \(error)")
                }
            }
            isGood = isGood && story.isFlawless
        } catch {
            publishing = nil
            isGood = false
            say("covey-demo: \(error)")
        }
        say("\nstopping")
        publishing?.cancel()
        await publishing?.value
        let isClean = await stop()
        say("sensors: \(sensors.published) messages acknowledged by the broker")
        let (readings, doubles) = nodes.reduce((0, 0)) {
            ($0.0 + tally.count(of: $1.name), $0.1 + tally.doubles(of: $1.name))
        }
        say("receiver: \(readings) readings, \(doubles) came twice")
        return isGood && isClean
    }

    private func prepare() async throws -> Int {
        try await broker.start()
        let port = try await receiver.start(port: try MosquittoBroker.freePort())
        // The daemon's own verb makes the key, as on a real site.
        _ = try await nodes[0].run(["key", "generate", "\(directory)/key"])
        try writeConfigurations(receiverPort: port)
        for node in nodes { try node.start() }
        return port
    }

    private func introduce(receiverPort: Int) {
        say(
            """
            Three gateways on this machine: \(Self.names.joined(separator: ", ")). Sensors speak to them over
            a real MQTT broker. Each gateway stores what it is told on its own disk, then
            acknowledges it; copies it to the other two; and sends it to one receiver,
            which stands for your cloud. Now and then one of the three is killed.

            broker on port \(broker.port), receiver on port \(receiverPort), files in \(directory)
            Ctrl-C ends it. In another terminal you can ask the gateways yourself:
              \(shortened(program)) peers \\
                  --socket \(nodes[1].socket)

            """)
    }

    private func shortened(_ path: String) -> String {
        guard let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        let folder = String(cString: here) + "/"
        return path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : path
    }

    /// Ends every process and removes the folder. Whether all gateways that ran stopped in order.
    private func stop() async -> Bool {
        var endings: [(String, ChildProcess.Ending)] = []
        for node in nodes { node.send(SIGTERM) }
        for node in nodes {
            if let ending = await node.stop() { endings.append((node.name, ending)) }
        }
        await receiver.stop()
        await broker.stop()
        // Nothing else is in it than what this program and its gateways made.
        _ = system("rm -rf '\(directory)'")
        for (name, ending) in endings where ending != .exited(0) { say("\(name) ended as \(ending)") }
        let faults = receiver.snapshot().faults
        for fault in faults { say("the receiver complains: \(fault)") }
        let isClean = endings.allSatisfy { $0.1 == .exited(0) }
        if isClean, !endings.isEmpty { say("gateways: stopped cleanly (\(endings.map(\.0).joined(separator: ", ")))") }
        return isClean && faults.isEmpty
    }

    private func writeConfigurations(receiverPort: Int) throws {
        let source = "Config/demo.toml"
        guard let file = fopen(source, "r") else {
            throw ChildFailure(description: "\(source) is not here: run it from the root of the project")
        }
        defer { _ = fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        let template = String(decoding: bytes[..<count], as: UTF8.self)
        var ports: [Int] = []
        while ports.count < nodes.count {
            let port = try MosquittoBroker.freePort()
            if !ports.contains(port), isFreeForDatagrams(port) { ports.append(port) }
        }
        let seeds = ports.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ")
        for (node, port) in zip(nodes, ports) {
            var text = template
            for (name, value) in [
                ("@PORT@", "\(broker.port)"), ("@RECEIVER_PORT@", "\(receiverPort)"), ("@DIR@", directory),
                ("@NAME@", node.name), ("@CLUSTER_PORT@", "\(port)"), ("@SEEDS@", seeds),
            ] {
                text = text.split(separator: name, omittingEmptySubsequences: false).joined(separator: value)
            }
            try MosquittoBroker.write(text, to: "\(directory)/\(node.name).toml")
        }
    }

    private func isFreeForDatagrams(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { _ = close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// Writes a line at once, also into a pipe. Where nobody reads any more, the demonstration ends.
func say(_ text: String) {
    var bytes = ArraySlice("\(text)\n".utf8)
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return EndSignal.ask() }
        bytes = bytes.dropFirst(count)
    }
}
