import Environment
import Glibc
import Synchronization
import TestKit
import Testing

/// A covey whose port strangers keep busy with all they have.
@Suite("A covey under siege", .serialized)
struct SiegeTests {
    /// Of private memory, in KiB: what a flood may cost a gateway at most.
    private static let growth = 24 << 10

    @Test("Noise at the cluster port as fast as it can be sent costs no reading, no peer and no memory")
    func floodOfDatagrams() async throws {
        let fleet = try await Fleet(2, acks: 2)
        try await fleet.openSink()
        try await fleet.start()
        let (one, two) = (fleet.members[0], fleet.members[1])
        try await one.publish(100)
        let before = try privateMemory(of: one)
        let flood = Flood(one.port)
        // Ten seconds of it: longer than a death takes to be found out.
        try await one.publish(3000, rate: 300)
        let during = try await two.status()
        let count = await flood.end()
        try await fleet.waitForReadings(3100)
        #expect(fleet.compare() == (0, 0))
        #expect(during.alivePeers.count == 1)
        #expect(try privateMemory(of: one) - before < Self.growth)
        let link = try await one.status().covey?.link
        let refused = (link?.refused ?? [:]).values.reduce(0, +)
        #expect(count > 100_000 && refused > 10_000, "\(refused) of \(count)")
        try await expectHealth(of: fleet)
        await fleet.end()
    }

    @Test(
        "Ten thousand calls that say nothing, from hundreds of addresses, keep no peer out and cost next to no memory")
    func halfOpenStreams() async throws {
        var limit = rlimit(rlim_cur: 16_384, rlim_max: 16_384)
        try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, "root must run this")
        let fleet = try await Fleet(2, acks: 2)
        try await fleet.openSink()
        try await fleet.start()
        let (one, two) = (fleet.members[0], fleet.members[1])
        try await one.publish(100)
        let before = try privateMemory(of: one)
        let calls = try await onThread { [port = one.port] in
            try (0..<10_000).map {
                try RawSocket.connected(to: port, from: "127.1.\($0 / 32 / 250).\($0 / 32 % 250 + 1)")
            }
        }
        #expect(try privateMemory(of: one) - before < Self.growth)
        // A peer that starts now has to get in between them: what it lacks comes over streams.
        await two.kill()
        try await two.start()
        try await one.publish(500, rate: 100)
        try await until("the other has copies") { try await two.status().ring.readings >= 600 }
        try await fleet.waitForReadings(600)
        #expect(fleet.compare() == (0, 0))
        let refused = try await one.status().covey?.link?.refused ?? [:]
        #expect(refused.contains { $0.key.hasPrefix("streams beyond") && $0.value > 9000 }, "\(refused)")
        withExtendedLifetime(calls) {}
        try await expectHealth(of: fleet)
        await fleet.end()
    }

    private func expectHealth(of fleet: Fleet) async throws {
        for member in fleet.members {
            try await until("\(member.name) is well") {
                let status = try await member.status()
                return status.health == "ok" && status.alivePeers.count == fleet.members.count - 1
            }
            let status = try await member.status()
            #expect(status.tree["covey", "link"]?.restarts == 0)
            #expect(status.ledger.balances)
        }
    }

    private func privateMemory(of member: Member) throws -> Int {
        guard let process = member.process else { throw ChildFailure(description: "\(member.name) does not run") }
        let path = "/proc/\(process.processID)/status"
        guard let file = fopen(path, "r") else { throw ChildFailure(description: "\(path) cannot be read") }
        defer { _ = fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 8192)
        let text = String(decoding: buffer[..<fread(&buffer, 1, buffer.count, file)], as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        guard let number = line?.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) }) else {
            throw ChildFailure(description: "\(path) has no RssAnon")
        }
        return number
    }
}

/// Noise to a port on a thread of its own, half of which looks right at first sight.
private final class Flood: Sendable {
    private let state = Mutex((isOver: false, sent: 0))
    private let thread: Mutex<Task<Void, Never>?> = Mutex(nil)

    init(_ port: Int) {
        let task = Task {
            await onThread { [self] in
                let socket = RawSocket.datagramSocket()
                var random = SeededRandom(seed: 17)
                var count = 0
                while !state.withLock({ $0.isOver }) {
                    var bytes = (0..<Int(random.next() % 64) * 8).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                    if count % 2 == 0, !bytes.isEmpty { bytes[0] = 0xC1 }
                    for _ in 0..<50 { RawSocket.sendDatagram(bytes, from: socket, to: port) }
                    count += 50
                }
                state.withLock { $0.sent = count }
            }
        }
        thread.withLock { $0 = task }
    }

    /// Stops it, and says how many datagrams that were.
    func end() async -> Int {
        state.withLock { $0.isOver = true }
        await thread.withLock { $0 }?.value
        return state.withLock { $0.sent }
    }
}
