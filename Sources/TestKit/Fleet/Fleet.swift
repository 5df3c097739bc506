import Glibc
import Model

/// Several gateways of one covey on this machine, each the real program as a process of its own, with a real broker at each site, and one
/// receiver that all of them upload to. It is away until ``openSink()``. They are on the loop, or each in a place of a ``LabNetwork``.
package final class Fleet: Sendable {
    package let directory: String
    package let members: [Member]
    package let receiver: HTTPReceiver
    package let sinkPort: Int
    /// `nil` on the loop.
    package let network: LabNetwork?
    private let sinkHost: String

    package var keyFile: String { Self.keyFile(in: directory) }

    /// - Parameters:
    ///   - keyless: Members whose key file is not there: ``Member/keyFile`` names it.
    ///   - network: Has as many places at least; the member of an index is in that place.
    ///   - parent: The folder of the gateways' folders.
    ///   - ring: The size of each one's ring.
    ///   - isSeeded: Whether the configurations say where the others are.
    ///   - storage: More lines of each one's `[storage]`.
    ///   - cluster: More lines of each one's `[cluster]`, made in the folder.
    package init(
        _ count: Int, acks: Int = 1, window: String = "50 ms", keyless: Set<Int> = [], network: LabNetwork? = nil,
        under parent: String = "/tmp", ring: String = "32 MiB", receiver: HTTPReceiver = HTTPReceiver(),
        isSeeded: Bool = true, storage: [String] = [],
        cluster: (_ index: Int, _ folder: String) async throws -> [String] = { _, _ in [] }
    ) async throws {
        var template = Array("\(parent)/covey-fleet-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in \(parent) can be made") }
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.directory = directory
        self.network = network
        self.receiver = receiver
        sinkPort = try MosquittoBroker.freePort()
        let sinkHost = network?.address(.outside) ?? "127.0.0.1"
        self.sinkHost = sinkHost
        try await Self.makeKey(at: Self.keyFile(in: directory))
        let seats = try Self.seats(count, network)
        var members: [Member] = []
        for index in 0..<count {
            let member = try Member(index, directory: directory, seat: seats[index])
            if !keyless.contains(index) { try Self.copyKey(in: directory, to: member) }
            try member.configure(
                acks: acks, window: window, ring: ring, seeds: isSeeded ? seats.map(\.address) : [],
                sink: "\(sinkHost):\(sinkPort)", storage: storage, cluster: try await cluster(index, directory))
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

    private static func seats(_ count: Int, _ network: LabNetwork?) throws -> [Member.Seat] {
        if let network { return network.places.prefix(count).map { Member.Seat(in: network, at: $0) } }
        var ports: Set<Int> = []
        while ports.count < count { ports.insert(try MosquittoBroker.freePort()) }
        return ports.sorted().map { Member.Seat(host: "127.0.0.1", port: $0) }
    }

    private static func keyFile(in directory: String) -> String { directory + "/key" }

    package static func makeKey(at path: String) async throws {
        let made = try ChildProcess(Site.program, ["key", "generate", path])
        guard await made.ending() == .exited(0) else {
            throw ChildFailure(description: made.log.joined(separator: "\n"))
        }
    }

    private static func copyKey(in directory: String, to member: Member) throws {
        guard system("cp -p '\(keyFile(in: directory))' '\(member.keyFile)'") == 0 else {
            throw ChildFailure(description: "the key cannot be copied to \(member.keyFile)")
        }
    }

    /// Starts all, and returns when each knows all others as alive.
    package func start() async throws {
        for member in members { try await member.start() }
        try await waitUntilMet()
    }

    package func waitUntilMet() async throws {
        for member in members {
            do {
                try await until("\(member.name) knows all others") {
                    try await member.status().alivePeers.count == self.members.count - 1
                }
            } catch {
                // Whose fault it is, all logs together may tell.
                throw Late(description: "\(error)\n" + lastWords)
            }
        }
    }

    /// The ends of all logs.
    package var lastWords: String {
        members.flatMap { ["-- \($0.name)"] + ($0.process?.log ?? []).suffix(20) }.joined(separator: "\n")
    }

    /// Returns when `count` distinct readings have come.
    package func waitForReadings(_ count: Int, within limit: Duration = .seconds(90)) async throws {
        let receiver = receiver
        try await within(limit, "the receiver has \(count) readings") { await receiver.waitForReadings(count) }
    }

    package func openSink() async throws { try await receiver.start(host: sinkHost, port: sinkPort) }

    package func end() async {
        for member in members {
            _ = await member.process?.terminate()
            await member.broker.stop()
        }
        await receiver.stop()
        await network?.remove()
    }

    /// Numbers that a broker acknowledged and the receiver lacks, and those that it has more than once, of all members.
    package func compare() -> (missing: Int, doubled: Int) {
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

    package var acknowledged: Int { members.reduce(0) { $0 + $1.publisher.acknowledged } }
}
