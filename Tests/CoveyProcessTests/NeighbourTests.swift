import TestKit
import Testing

@Suite("Gateways that look for each other by mDNS", .serialized)
struct NeighbourTests {
    @Test("Two gateways of one key find each other without seeds, by real Avahi daemons on a network between them")
    func findEachOther() async throws {
        let network = try await AvahiNetwork()
        let (one, two) = (network.machines[0], network.machines[1])
        let key = "\(network.directory)/key"
        try await Fleet.makeKey(at: key)
        for machine in network.machines { try await machine.startAvahi() }
        for machine in network.machines { try await machine.startGateway(key: key) }
        for machine in network.machines {
            try await until("\(machine.name) has met the other") { try await machine.status().alivePeers.count == 1 }
        }
        let mdns = try await one.status().covey?.mdns
        #expect(mdns?.announced == true)
        #expect(mdns?.found == 1)
        #expect(mdns?.foreign == 0)
        #expect(mdns?.error == nil)

        // Who goes takes the announcement along.
        await two.stopGateway()
        try await until("the announcement is gone") { try await one.status().covey?.mdns?.found == 0 }
        await one.stopGateway()
    }

    @Test("A gateway of another key is seen as a stranger and not spoken to")
    func passesStrangersOver() async throws {
        let network = try await AvahiNetwork()
        for machine in network.machines {
            let key = "\(network.directory)/\(machine.name).key"
            try await Fleet.makeKey(at: key)
            try await machine.startAvahi()
            try await machine.startGateway(key: key)
        }
        for machine in network.machines {
            try await until("\(machine.name) sees a stranger") { try await machine.status().covey?.mdns?.foreign == 1 }
            let status = try await machine.status()
            #expect(status.covey?.mdns?.found == 0)
            #expect(status.peers.isEmpty)
            // Nobody spoke to anybody: there is nothing to refuse.
            #expect(status.covey?.link?.refused == [:])
        }
        for machine in network.machines { await machine.stopGateway() }
    }

    @Test("Without a daemon it runs, says so once, and begins when there is one, also after the daemon was away")
    func waitsForAvahi() async throws {
        let network = try await AvahiNetwork()
        let (one, two) = (network.machines[0], network.machines[1])
        let key = "\(network.directory)/key"
        try await Fleet.makeKey(at: key)
        try await two.startAvahi()
        try await two.startGateway(key: key)
        try await one.startGateway(key: key)
        let warning = "no gateways are found by mDNS: "
        try await within(.seconds(60), "the log says that there is no Avahi") {
            await one.gateway?.waitForLog(containing: warning)
        }
        let status = try await one.status()
        #expect(status.health == "degraded")
        #expect(status.reasons.contains { $0.hasPrefix(warning) })
        #expect(status.covey?.mdns?.announced == false)

        try await one.startAvahi()
        try await until("they have met") { try await one.status().alivePeers.count == 1 }
        #expect(one.gateway?.log.count { $0.contains(warning) } == 1)
        #expect(try await one.status().reasons.contains { $0.hasPrefix(warning) } == false)

        await one.stopAvahi()
        try await until("it notices") { try await one.status().covey?.mdns?.error != nil }
        // Who has met stays together.
        #expect(try await one.status().alivePeers.count == 1)
        try await one.startAvahi()
        try await until("it announces itself again") { try await one.status().covey?.mdns?.announced == true }
        for machine in network.machines { await machine.stopGateway() }
    }
}
