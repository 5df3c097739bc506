import Glibc
import TestKit

/// Durable ingest: publishers → broker → gateway, parsed, stored, synced and only then acknowledged, beside a mosquitto that bridges the same
/// publishers from the same kind of broker. Prints one table; figures of CPU are those of the measured process alone.
///
/// Usage: `ingest-benchmark [MESSAGES [PUBLISHERS]]`
@main
struct Ingest {
    let messages: Int
    let publishers: Int

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let benchmark = Ingest(messages: numbers.first ?? 200_000, publishers: numbers.dropFirst().first ?? 4)
        try await benchmark.run()
    }

    private func run() async throws {
        print("\(messages) messages of QoS 1 from \(publishers) publishers, payloads like 21.5")
        let gateway = try await measureGateway()
        print("covey: \(gateway.row)")
        let bridge = try await measureBridge()
        print("| what | messages/s | per core of its CPU | RSS MiB | bytes written per reading |")
        print("|---|---:|---:|---:|---:|")
        print("| covey: parsed, stored, synced, then acknowledged | \(gateway.row) |")
        print("| mosquitto bridge: forwarded to a second broker | \(bridge.row) |")
        let ratio = gateway.perCore / bridge.perCore
        print("covey per core is \((ratio * 100).rounded() / 100) times the bridge, in the same run")
    }

    private struct Figures {
        let messages: Int
        let wall: Double
        let usage: Usage

        var perCore: Double { Double(messages) / max(usage.cpu, 0.001) }
        var row: String {
            let written = (Double(usage.bytesWritten) / Double(messages) * 10).rounded() / 10
            let rate = Int(Double(messages) / wall)
            return "\(rate) | \(Int(perCore)) | \(usage.residentKiB / 1024) | \(written)"
        }
    }

    /// A broker that never holds back what a client can take, so that the client is what is measured.
    private static let unlimited = ["max_inflight_messages 2000", "max_queued_messages 0"]

    private func measureGateway() async throws -> Figures {
        var template = Array("/var/tmp/covey-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /var/tmp can be made") }
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { _ = system("rm -rf '\(directory)'") }
        let broker = try MosquittoBroker(options: Self.unlimited)
        try await broker.start()
        let text = """
            [gateway]
            name = "bench"
            data_dir = "\(directory)/data"
            clock = "always"
            [api]
            socket = "\(directory)/covey.sock"
            [storage]
            ring_size = "64 MiB"
            [[broker]]
            name = "local"
            url = "mqtt://127.0.0.1:\(broker.port)"
            publish = false
            [[device]]
            id = "{device}"
            driver = "mqtt"
            topic = "bench/{device}/temp"
            decoder = "number"

            """
        try MosquittoBroker.write(text, to: directory + "/covey.toml")
        let path = CommandLine.arguments[0]
        let program = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/covey"
        let gateway = try ChildProcess(program, ["run", "--config", directory + "/covey.toml"])
        guard await gateway.waitForLog(containing: "connected (") else {
            throw ChildFailure(description: gateway.log.joined(separator: "\n"))
        }
        let before = try Usage(of: gateway.processID)
        let clock = ContinuousClock()
        let began = clock.now
        try await publish(port: broker.port)
        while try stored(program, directory) < messages { usleep(20_000) }
        let wall = clock.now - began
        let after = try Usage(of: gateway.processID)
        _ = await gateway.terminate()
        await broker.stop()
        return Figures(messages: messages, wall: wall.inSeconds, usage: after.since(before))
    }

    /// The bridge takes from the publishers itself, as a site would run it; its CPU covers both sides.
    private func measureBridge() async throws -> Figures {
        let target = try MosquittoBroker(options: Self.unlimited)
        try await target.start()
        let bridge = try MosquittoBroker(
            options: Self.unlimited + [
                "connection bench", "address 127.0.0.1:\(target.port)", "topic bench/# out 1", "cleansession false",
                "notifications false",
            ])
        try await bridge.start()
        let last = try ChildProcess(
            "/usr/bin/mosquitto_sub", ["-p", String(target.port), "-t", "bench/last/temp", "-C", "1"])
        guard await target.waitForLog(containing: "New client connected") else {
            throw ChildFailure(description: "the bridge does not connect")
        }
        let before = try Usage(of: bridge.processID)
        let clock = ContinuousClock()
        let began = clock.now
        try await publish(port: bridge.port)
        // The last message of all goes the same way behind the others, so its arrival says that they have arrived.
        let publisher = CountingPublisher(port: bridge.port, clientID: "last")
        try await publisher.publish(count: 1) { _ in ("bench/last/temp", Array("0".utf8)) }
        _ = await last.ending()
        let wall = clock.now - began
        let after = try Usage(of: bridge.processID)
        await bridge.stop()
        await target.stop()
        return Figures(messages: messages, wall: wall.inSeconds, usage: after.since(before))
    }

    private func publish(port: Int) async throws {
        let share = messages / publishers
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<publishers {
                group.addTask {
                    let publisher = CountingPublisher(port: port, clientID: "bench-\(index)", inFlight: 1000)
                    try await publisher.publish(count: share) { number in
                        ("bench/p\(index)/temp", Array("\(number % 400).5".utf8))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Readings durable so far, as the gateway says.
    private func stored(_ program: String, _ directory: String) throws -> Int {
        guard let pipe = popen("\(program) status --json --socket \(directory)/covey.sock", "r") else {
            throw ChildFailure(description: "\(program) cannot be started")
        }
        defer { _ = pclose(pipe) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { text += buffer[..<count] }
        let words = String(decoding: text, as: UTF8.self).split(separator: "\"stored\":", maxSplits: 1)
        return words.count == 2 ? Int(words[1].prefix { $0.isNumber }) ?? 0 : 0
    }
}

/// What the kernel says that one process has used.
struct Usage {
    /// Seconds of all its threads, user and system.
    let cpu: Double
    let residentKiB: Int
    /// What it caused to be written to storage.
    let bytesWritten: Int

    init(of process: pid_t) throws {
        let fields = try Self.read("/proc/\(process)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
            throw ChildFailure(description: "process \(process) is gone")
        }
        cpu = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        residentKiB = try Self.number("VmRSS:", in: "/proc/\(process)/status")
        bytesWritten = try Self.number("write_bytes:", in: "/proc/\(process)/io")
    }

    private init(cpu: Double, residentKiB: Int, bytesWritten: Int) {
        self.cpu = cpu
        self.residentKiB = residentKiB
        self.bytesWritten = bytesWritten
    }

    func since(_ before: Usage) -> Usage {
        Usage(cpu: cpu - before.cpu, residentKiB: residentKiB, bytesWritten: bytesWritten - before.bytesWritten)
    }

    private static func number(_ key: String, in path: String) throws -> Int {
        for line in try read(path).split(separator: "\n") where line.hasPrefix(key) {
            return Int(line.dropFirst(key.count).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }) ?? 0
        }
        throw ChildFailure(description: "\(path) has no \(key)")
    }

    private static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw ChildFailure(description: "\(path) cannot be read") }
        defer { _ = fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
