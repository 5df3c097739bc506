import Environment
import Model
import RingLog
import Simulator
import Testing

@testable import GatewayCore

/// What any gateway can tell of the others' readings.
@Suite struct CoveyFaceTests {
    @Test("A copied reading is told with the name and the node id of the gateway that took it")
    func owners() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        for index in 0..<3 { covey.feed(index, 5) }
        covey.run(seconds: 5)
        let owners = covey.core(1).owners(node: NodeID(high: 0, low: 1), name: "me")
        for index in 0..<3 {
            let owner = owners[try #require(covey.log(index))]
            #expect(owner.node == CoveyBench.node(index))
            #expect(owner.name == (index == 1 ? "me" : "gateway \(index)"))
        }
    }

    @Test("What a clone wrote under the name that two had keeps that node id")
    func clone() throws {
        let covey = try CoveyBench.withClone()
        covey.run(seconds: 30)
        covey.feed(2, 10)
        covey.run(seconds: 5)
        let core = covey.core(2)
        let owners = core.owners(node: CoveyBench.node(0), name: "clone")
        #expect(owners.own.node == core.cluster?.node)
        #expect(owners.own.node != CoveyBench.node(0))
        let former = try #require(core.ring.logs.first { $0.log != core.ring.currentLog })
        #expect(owners[former.log] == LogOwners.Owner(node: CoveyBench.node(0), name: "clone"))
    }

    @Test("The newest values of others are known from their copies, also where an older part comes last")
    func latest() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        for _ in 0..<3 {
            covey.feed(0, 5)
            covey.run(seconds: 2)
        }
        let log = try #require(covey.log(0))
        for index in 1..<3 {
            let entries = covey.core(index).copiedLatest.entries(matching: [], values: 24)
            #expect(entries.map(\.stored.log) == [log])
            #expect(entries.map(\.stored.offset) == [Offset(14)])
            #expect(entries.first?.history.count == 15)
        }
        #expect(covey.core(0).copiedLatest.readings(matching: []).isEmpty)

        var table = LatestTable()
        let newest = try #require(covey.core(1).copiedLatest.readings(matching: []).first)
        for offset: UInt64 in [14, 3] {
            let stored = StoredReading(log: log, offset: Offset(offset), reading: newest.reading)
            table.noteCopy(stored, of: CoveyBench.node(0), clock: covey.core(1).ring.clock)
        }
        #expect(table.readings(matching: []).map(\.offset) == [Offset(14)])
    }

    @Test("What has no room here is named with who holds it, and only that")
    func elsewhere() throws {
        let covey = try CoveyBench(gateways: 2, segments: 8, copiesShare: 0.01)
        covey.reachesSink = []
        covey.run(seconds: 12)
        covey.feed(0, 20)
        covey.run(seconds: 5)
        #expect(covey.core(0).elsewhere(of: nil).isEmpty)
        #expect(covey.core(1).elsewhere(of: nil).isEmpty)
        for _ in 0..<40 {
            covey.feed(0, 60, bytes: 200)
            covey.run(seconds: 3)
        }
        covey.run(seconds: 100)
        let elsewhere = covey.core(1).elsewhere(of: nil)
        #expect(elsewhere.flatMap(\.holders).allSatisfy { $0.node == CoveyBench.node(0) && $0.standing == .alive })
        #expect(!elsewhere.isEmpty)
        #expect(covey.core(1).elsewhere(of: [CoveyBench.node(1)]).isEmpty)
    }

    @Test("What would go with a gateway is what enough others neither hold nor have seen uploaded")
    func heldHereAlone() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        covey.feed(0, 20)
        covey.run(seconds: 0.1)
        #expect(covey.core(0).heldHereAlone == 20)
        covey.run(seconds: 5)
        #expect(covey.core(0).heldHereAlone == 0)
        covey.kill(1)
        covey.kill(2)
        covey.run(seconds: 60)
        #expect(covey.core(0).heldHereAlone == 20)
        covey.reachesSink = [0]
        covey.run(seconds: 60)
        #expect(covey.core(0).heldHereAlone == 0)
    }
}
