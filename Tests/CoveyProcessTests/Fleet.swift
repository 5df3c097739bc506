import FoundationEssentials
import Glibc
import Model
import TestKit

/// Why a test did not get what it waited for.
struct Late: Error, CustomStringConvertible {
    let description: String
}

/// Returns when `condition` holds; throws where that takes too long.
func until(
    _ what: String, within limit: Duration = .seconds(90), _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now.advanced(by: limit)
    while try await !condition() {
        guard ContinuousClock.now < end else { throw Late(description: "waited too long until \(what)") }
        await Task.yield()
    }
}

/// Returns when `body` has; throws where that takes too long.
func within(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async -> Void
) async throws {
    let (ends, end) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingOldest(1))
    Task {
        await body()
        end.yield(true)
    }
    let deadline = Task {
        try await Task.sleep(for: limit)
        end.yield(false)
    }
    defer { deadline.cancel() }
    for await isDone in ends.prefix(1) where !isDone { throw Late(description: "waited too long until \(what)") }
}

/// Several gateways of one covey on this machine, each the real program as a process of its own, with a real broker at each site, and one
/// receiver that all of them upload to. It is away until ``openSink()``.
final class Fleet: Sendable {
    let directory: String
    let members: [Member]
    let receiver = HTTPReceiver()
    let sinkPort: Int

    var keyFile: String { Self.keyFile(in: directory) }

    /// - Parameter keyless: Members whose configuration names a key file of their own, that is not there: `key1` for the second.
    /// - Parameters:
    ///   - isSeeded: Whether the configurations say where the others are.
    ///   - cluster: More lines of each one's `[cluster]`, made in the folder.
    init(
        _ count: Int, acks: Int = 1, window: String = "50 ms", keyless: Set<Int> = [], isSeeded: Bool = true,
        cluster: (_ index: Int, _ folder: String) async throws -> [String] = { _, _ in [] }
    ) async throws {
        var template = Array("/tmp/covey-fleet-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /tmp can be made") }
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.directory = directory
        sinkPort = try MosquittoBroker.freePort()
        try await Self.makeKey(at: Self.keyFile(in: directory))
        var ports: Set<Int> = []
        while ports.count < count { ports.insert(try MosquittoBroker.freePort()) }
        let seeds = ports.sorted()
        var members: [Member] = []
        for index in 0..<count {
            let member = try Member(index, directory: directory, port: seeds[index])
            let name = keyless.contains(index) ? "\(directory)/key\(index)" : Self.keyFile(in: directory)
            try member.configure(
                acks: acks, window: window, keyFile: name, seeds: isSeeded ? seeds : [], sinkPort: sinkPort,
                cluster: try await cluster(index, directory))
            try await member.broker.start()
            members.append(member)
        }
        self.members = members
    }

    deinit {
        for member in members { member.process?.send(SIGKILL) }
        // A covey's folder is a tree; there is nothing else in it.
        _ = system("rm -rf '\(directory)'")
    }

    private static func keyFile(in directory: String) -> String { directory + "/key" }

    static func makeKey(at path: String) async throws {
        let made = try ChildProcess(Site.program, ["key", "generate", path])
        guard await made.ending() == .exited(0) else {
            throw ChildFailure(description: made.log.joined(separator: "\n"))
        }
    }

    /// Starts all, and returns when each knows all others as alive.
    func start() async throws {
        for member in members { try await member.start() }
        try await waitUntilMet()
    }

    func waitUntilMet() async throws {
        for member in members {
            do {
                try await until("\(member.name) knows all others") {
                    try await member.status().alivePeers.count == self.members.count - 1
                }
            } catch {
                // Whose fault it is, all logs together may tell.
                let logs = members.flatMap { ["-- \($0.name)"] + ($0.process?.log ?? []).suffix(20) }
                throw Late(description: "\(error)\n" + logs.joined(separator: "\n"))
            }
        }
    }

    /// Returns when `count` distinct readings have come.
    func waitForReadings(_ count: Int) async throws {
        let receiver = receiver
        try await within(.seconds(90), "the receiver has \(count) readings") { await receiver.waitForReadings(count) }
    }

    func openSink() async throws { try await receiver.start(port: sinkPort) }

    func end() async {
        for member in members {
            _ = await member.process?.terminate()
            await member.broker.stop()
        }
        await receiver.stop()
    }

    /// Numbers that a broker acknowledged and the receiver lacks, and those that it has more than once, of all members.
    func compare() -> (missing: Int, doubled: Int) {
        var seen: [String: [Int: Int]] = [:]
        for reading in receiver.readings() {
            if case .number(let number) = reading.value {
                seen[reading.device, default: [:]][Int(number), default: 0] += 1
            }
        }
        var (missing, doubled) = (0, 0)
        for member in members {
            let got = seen[member.device] ?? [:]
            missing += member.publisher.acknowledgedNumbers.filter { got[$0] == nil }.count
            doubled += got.values.filter { $0 > 1 }.count
        }
        return (missing, doubled)
    }

    var acknowledged: Int { members.reduce(0) { $0 + $1.publisher.acknowledged } }
}
