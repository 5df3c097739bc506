import ClusterLink
import Model
import TestKit
import Testing

@Suite("A covey in the middle of an upgrade", .serialized)
struct UpgradeTests {
    @Test("counts what a later version says, names who speaks another major one, and works on")
    func laterVersions() async throws {
        let fleet = try await Fleet(2, acks: 2)
        try await fleet.openSink()
        try await fleet.start()
        let (one, two) = (fleet.members[0], fleet.members[1])
        let port = try MosquittoBroker.freePort()
        let address = try #require(PeerAddress("127.0.0.1:\(port)"))
        // It has the key, so that what it says is heard.
        let later = try ClusterLink(
            ClusterLink.Settings(
                host: "127.0.0.1", port: port, address: address, node: NodeID(high: 9, low: 9), start: StartID(9)),
            keys: try KeyFile.load(fleet.keyFile),
            receiver: ClusterLink.Receiver(datagram: { _, _ in }, frame: { _, _ in }, unreachable: { _ in }))
        let (readiness, ready) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingOldest(1))
        let running = Task { try await later.run { _ in ready.yield(true) } }
        for await _ in readiness.prefix(1) {}
        let target = try #require(PeerAddress("127.0.0.1:\(one.port)"))
        later.send(datagram: [0x21, 1, 2, 3], to: target)
        later.send(frame: [0x1F, 1, 2, 3], to: target)
        try await until("both are counted") {
            let ignored = try await one.status().covey?.ignored ?? [:]
            return ignored["of another major version"] == 1
                && ignored["of a kind that this version does not know"] == 1
        }
        let reasons = try await one.status().reasons
        #expect(reasons.contains { $0.contains("the gateway at \(address.text) speaks protocol 2, this one 1") })
        #expect(try await one.status().alivePeers.map(\.name) == [two.name])
        try await one.publish(100)
        try await fleet.waitForReadings(100)
        #expect(fleet.compare() == (0, 0))
        running.cancel()
        _ = await running.result
        await fleet.end()
    }

    @Test("with certificates of its own meets by them, and names the one whose certificate has expired")
    func ownCertificates() async throws {
        // The third's is over.
        let names = ["server", "client", "expired"]
        let fleet = try await Fleet(3) { index, folder in
            let made = index == 0 ? try await Certificates.make(in: folder) : Certificates(directory: folder)
            return [
                "ca_file = \"\(made.authority)\"", "cert_file = \"\(made.certificate(names[index]))\"",
                "cert_key_file = \"\(made.key(names[index]))\"",
            ]
        }
        try await fleet.openSink()
        for member in fleet.members { try await member.start() }
        let (one, two, late) = (fleet.members[0], fleet.members[1], fleet.members[2])
        for member in [one, two] {
            try await until("\(member.name) knows the other") {
                try await member.status().alivePeers.contains { $0.name != late.name }
            }
            try await until("\(member.name) has refused the third") {
                let link = try await member.status().covey?.link
                return link?.refused["streams with a certificate that has expired"] ?? 0 > 0
                    && link?.certificates.contains { $0.contains("CN=expired: expired on") } ?? false
            }
        }
        #expect(try await late.status().reasons.contains { $0.contains("this gateway's certificate has expired on") })
        try await one.publish(50)
        try await fleet.waitForReadings(50)
        try await until("the other has a copy") { try await two.status().ring.readings >= 50 }

        let good = try ChildProcess(Site.program, ["check", "--config", one.configuration])
        #expect(await good.ending() == .exited(0))
        #expect(good.log.contains { $0.contains("`cert_file`: this gateway's certificate expires on") }, "\(good.log)")
        let bad = try ChildProcess(Site.program, ["check", "--config", late.configuration])
        #expect(await bad.ending() == .exited(1))
        #expect(bad.log.contains { $0.contains("`cert_file`: this gateway's certificate has expired on") })
        await fleet.end()
    }
}
