import Glibc
import Synchronization
import TestKit

/// What `make run` shows: a real broker, sensors that publish to it, a gateway as a process of its own, and a receiver in the cloud's
/// place. Ends on Ctrl-C, or after `--seconds N`.
@main
struct Demo {
    let directory: String
    let broker: MosquittoBroker
    let receiver = HTTPReceiver()
    let program: String

    static func main() async throws {
        let seconds = try limit()
        let demo = try Demo()
        try await demo.run(seconds: seconds)
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
        var template = Array("/tmp/covey-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /tmp can be made") }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        broker = try MosquittoBroker()
        // The gateway lies beside this program.
        let path = CommandLine.arguments[0]
        program = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/covey"
    }

    private func run(seconds: Int?) async throws {
        try await broker.start()
        let receiverPort = try await receiver.start()
        let configuration = try writeConfiguration(receiverPort: receiverPort)
        print("broker on port \(broker.port), receiver on port \(receiverPort), everything else in \(directory)")
        let gateway = try ChildProcess(program, ["run", "--config", configuration])
        guard await gateway.waitForLog(containing: "is ready") else {
            throw ChildFailure(description: "the gateway ended:\n" + gateway.log.joined(separator: "\n"))
        }
        let end = EndSignal(seconds: seconds)
        let sensors = Sensors(port: broker.port)
        let publishing = Task { try await sensors.run() }
        let socket = directory + "/covey.sock"
        print("ask it yourself: \(program) status --socket \(socket)\n")
        await show(socket: socket, sensors: sensors, until: end)

        publishing.cancel()
        _ = await publishing.result
        print("\nstopping")
        let status = try? ask(["status"], socket: socket)
        let ending = await gateway.terminate()
        let snapshot = receiver.snapshot()
        if let status { print(status) }
        print("sensors: \(sensors.published) messages acknowledged by the broker")
        print(
            "receiver: \(snapshot.readings) readings, \(snapshot.duplicates) came twice, \(snapshot.faults.count) faults of form"
        )
        print("gateway: \(ending == .exited(0) ? "stopped cleanly" : "ended as \(ending)")")
        await receiver.stop()
        await broker.stop()
        guard ending == .exited(0), snapshot.readings > 0, snapshot.faults.isEmpty else { exit(1) }
    }

    /// The live table: what `covey latest` says, drawn anew each second; on a plain pipe one line each second.
    private func show(socket: String, sensors: Sensors, until end: EndSignal) async {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        while await end.isStillOff(for: .seconds(1)) {
            let snapshot = receiver.snapshot()
            let line = "\(sensors.published) messages published, \(snapshot.readings) readings at the receiver"
            guard isTerminal, let table = try? ask(["latest"], socket: socket) else {
                print(line)
                continue
            }
            print("\u{1B}[H\u{1B}[2J\(table)\n\(line) · Ctrl-C ends it")
        }
    }

    private func ask(_ words: [String], socket: String) throws -> String {
        let command = ([program] + words + ["--socket", socket]).joined(separator: " ")
        guard let pipe = popen(command, "r") else { throw ChildFailure(description: "\(command) cannot be started") }
        defer { _ = pclose(pipe) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { text += buffer[..<count] }
        return String(decoding: text, as: UTF8.self)
    }

    private func writeConfiguration(receiverPort: Int) throws -> String {
        let source = "Config/demo.toml"
        guard let file = fopen(source, "r") else {
            throw ChildFailure(description: "\(source) is not here: run it from the root of the project")
        }
        defer { _ = fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        var text = String(decoding: bytes[..<count], as: UTF8.self)
        for (name, value) in [
            ("@PORT@", "\(broker.port)"), ("@RECEIVER_PORT@", "\(receiverPort)"), ("@DIR@", directory),
        ] {
            text = text.split(separator: name, omittingEmptySubsequences: false).joined(separator: value)
        }
        let path = directory + "/covey.toml"
        try MosquittoBroker.write(text, to: path)
        return path
    }
}

/// Ctrl-C, SIGTERM or the end of the time, whichever comes first.
private final class EndSignal: Sendable {
    private let deadline: ContinuousClock.Instant?

    init(seconds: Int?) {
        deadline = seconds.map { ContinuousClock.now + .seconds($0) }
        signal(SIGINT) { _ in endWasAsked.store(true, ordering: .relaxed) }
        signal(SIGTERM) { _ in endWasAsked.store(true, ordering: .relaxed) }
    }

    /// Waits, and says whether the demonstration goes on.
    func isStillOff(for duration: Duration) async -> Bool {
        let wake = ContinuousClock.now + duration
        while ContinuousClock.now < wake {
            try? await Task.sleep(for: .milliseconds(50))
            if endWasAsked.load(ordering: .relaxed) { return false }
            if let deadline, ContinuousClock.now >= deadline { return false }
        }
        return true
    }
}

/// A signal handler may touch nothing but such a flag.
private let endWasAsked = Atomic(false)
