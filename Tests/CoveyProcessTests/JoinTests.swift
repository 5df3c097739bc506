import TestKit
import Testing

@Suite("A gateway that is told where its covey is", .serialized)
struct JoinTests {
    @Test("joins it at once, knows the way after a restart, and names what is wrong with other addresses")
    func join() async throws {
        let fleet = try await Fleet(3, keyless: [2], isSeeded: false)
        try await fleet.openSink()
        try await Fleet.makeKey(at: fleet.members[2].keyFile)
        let (one, two, stranger) = (fleet.members[0], fleet.members[1], fleet.members[2])
        for member in fleet.members { try await member.start() }
        #expect(try await one.status().peers.isEmpty)

        let joining = try one.ask(["join", "127.0.0.1:\(two.port)"])
        #expect(await joining.ending() == .exited(0), "\(joining.log)")
        #expect(joining.log == ["joined: \(two.name) at 127.0.0.1:\(two.port); 1 other gateway is alive"])
        // Nobody else leads them to each other.
        for member in [one, two] { await member.kill() }
        for member in [one, two] { try await member.start() }
        for member in [one, two] {
            try await until("\(member.name) knows the other") { try await member.status().alivePeers.count == 1 }
        }

        let refused = try one.ask(["join", "127.0.0.1:\(stranger.port)", "--timeout", "4 s"])
        #expect(await refused.ending() == .exited(1))
        #expect(refused.log.joined().contains("127.0.0.1:\(stranger.port): who answers there has another key"))
        let free = try MosquittoBroker.freePort()
        let nobody = try one.ask(["join", "127.0.0.1:\(free)", "no-such-host.invalid:1", "--timeout", "4 s"])
        #expect(await nobody.ending() == .exited(1))
        #expect(nobody.log.joined().contains("127.0.0.1:\(free): nobody listens there"), "\(nobody.log)")
        #expect(nobody.log.joined().contains("no-such-host.invalid:1: "))
        let own = try one.ask(["join", "127.0.0.1:\(one.port)", "--timeout", "2 s"])
        #expect(await own.ending() == .exited(1))
        #expect(own.log.joined().contains("that is this gateway itself"))
        let wrong = try one.ask(["join", "nowhere"])
        #expect(await wrong.ending() == .exited(2))
        await fleet.end()
    }
}
