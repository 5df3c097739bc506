import Environment
import TestKit
import Testing

@Suite("A covey among strangers", .serialized)
struct StrangerTests {
    @Test(
        "A capture of what gateways say to each other shows no name and no reading, and what it caught is of no use again"
    )
    func captureShowsNothing() async throws {
        try #require(Capture.isAllowed, "raw sockets are root's: run it as root")
        let capture = try Capture()
        let fleet = try await Fleet(2, acks: 2)
        try await fleet.openSink()
        try await fleet.start()
        let (one, two) = (fleet.members[0], fleet.members[1])
        try await one.publish(300)
        try await until("the other has them") { try await two.status().ring.readings >= 300 }
        try await fleet.waitForReadings(300)
        capture.stop()

        // The capture does see names where they are in the open: on the broker's side.
        let open = capture.packets(of: [one.broker.port])
        #expect(open.contains { $0.holds(one.device) })
        let sealed = capture.packets(of: [one.port, two.port])
        #expect(sealed.contains { $0.isDatagram })
        #expect(sealed.contains { !$0.isDatagram && $0.payload.count > 200 })
        for name in [one.device, one.name, two.name, "covey-gw", "load/"] {
            #expect(!sealed.contains { $0.holds(name) }, "\(name)")
        }

        // All datagrams once more, to where they went.
        let before = try await two.status()
        let socket = RawSocket.datagramSocket()
        let caught = sealed.filter { $0.isDatagram && $0.destination == two.port }
        #expect(caught.count > 3)
        for packet in caught { RawSocket.sendDatagram(Array(packet.payload), from: socket, to: two.port) }
        try await until("every one is refused") {
            let link = try await two.status().covey?.link
            return link?.refused["datagrams seen before, or too old"] ?? 0 >= caught.count
        }
        let after = try await two.status()
        #expect(after.alivePeers.count == 1)
        #expect(after.ring.readings == before.ring.readings)
        #expect(after.covey?.ignored == before.covey?.ignored)
        await fleet.end()
    }

    @Test("Random and mutated packets at the cluster port are counted, and nothing else changes")
    func noiseAtThePort() async throws {
        let fleet = try await Fleet(2, acks: 2)
        try await fleet.openSink()
        try await fleet.start()
        let (one, two) = (fleet.members[0], fleet.members[1])
        let loading = Task { try await one.publish(900, rate: 300) }
        let socket = RawSocket.datagramSocket()
        var random = SeededRandom(seed: 9)
        for round in 0..<6000 {
            var bytes = (0..<Int(random.next() % 1200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            // Half of them look right at first sight.
            if round % 2 == 0, !bytes.isEmpty { bytes[0] = 0xC1 }
            RawSocket.sendDatagram(bytes, from: socket, to: round % 3 == 0 ? two.port : one.port)
            if round % 200 == 0 {
                let stream = try RawSocket.connected(to: one.port)
                RawSocket.write(bytes, to: stream)
            }
        }
        try await loading.value
        try await fleet.waitForReadings(900)
        #expect(fleet.compare() == (0, 0))
        #expect(fleet.receiver.snapshot().duplicates == 0)
        for member in fleet.members {
            let status = try await member.status()
            let refused = status.covey?.link?.refused ?? [:]
            // Some the kernel dropped: the socket's buffer is only so large.
            #expect(refused.values.reduce(0, +) > 200, "\(refused)")
            #expect(status.covey?.ignored == [:])
            #expect(status.alivePeers.count == 1)
            #expect(status.health == "ok", "\(status.reasons)")
            #expect(status.ledger.balances)
            #expect(status.tree["covey", "link"]?.restarts == 0)
            #expect(member.process?.isRunning == true)
        }
        try await until("the other holds a copy") { try await two.status().ring.readings >= 900 }
        await fleet.end()
    }

    @Test("A gateway with another key stays alone: it is refused by name, and both work on")
    func otherKey() async throws {
        let fleet = try await Fleet(2, keyless: [1])
        try await fleet.openSink()
        try await Fleet.makeKey(at: fleet.members[1].keyFile)
        for member in fleet.members { try await member.start() }
        for member in fleet.members { try await member.publish(20) }
        try await fleet.waitForReadings(40)
        for member in fleet.members {
            try await until("\(member.name) refuses the other") {
                let refused = try await member.status().covey?.link?.refused ?? [:]
                return refused.contains { $0.key.contains("has not the key") && $0.value > 0 }
            }
            #expect(try await member.status().peers.isEmpty)
        }
        #expect(fleet.compare() == (0, 0))
        await fleet.end()
    }
}
