import Environment
import Membership
import Model
import RingLog
import Testing

@testable import GatewayCore

/// Who uploads what, as a person is told it.
@Suite struct UploadDutyTests {
    @Test("A survivor names the dead gateway whose log it uploads, and how much of it is left")
    func relayed() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        for _ in 0..<10 {
            covey.feed(0, 50)
            covey.run(seconds: 1)
        }
        let log = try #require(covey.log(0))
        covey.kill(0)
        covey.reachesSink = [1, 2]
        var seen: [Int: [UInt64]] = [:]
        for _ in 0..<4000 {
            covey.run(seconds: 0.015)
            for index in 1..<3 {
                for entry in duties(covey, index).relayed {
                    #expect(entry.gateway == LogOwners.Owner(node: CoveyBench.node(0), name: "gateway 0"))
                    #expect(entry.log == log)
                    seen[index, default: []].append(entry.pending)
                }
            }
        }
        #expect(seen.count == 1)
        let pending = try #require(seen.values.first)
        #expect(pending.first == 500)
        #expect(pending == pending.sorted(by: >))
        for index in 1..<3 { #expect(duties(covey, index).relayed.isEmpty) }
    }

    @Test("Receipts with digests that do not match are told, and nothing is let go for them: all is uploaded again")
    func wrongReceipts() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.wrongReceipts = [1]
        covey.run(seconds: 10)
        for _ in 0..<10 {
            covey.feed(0, 50)
            covey.run(seconds: 1)
        }
        covey.run(seconds: 5)
        let log = try #require(covey.log(0))
        covey.kill(0)
        covey.reachesSink = [1]
        covey.run(seconds: 60)
        #expect(Set(covey.sent[log] ?? []) == Set(0..<500), "the one with the broken memory sends it")
        let alarms = covey.reports.filter { $0.contains("gateway 2") && $0.contains("\(CoveyBench.node(1))") }
        #expect(!alarms.isEmpty && alarms.count <= 16, "\(covey.reports)")
        #expect(covey.held(log, by: 2) == 500)
        covey.kill(1)
        covey.sent = [:]
        covey.reachesSink = [2]
        covey.run(seconds: 60)
        #expect(Set(covey.sent[log] ?? []) == Set(0..<500), "what nobody proved is sent by who has it")
    }

    @Test("A gateway that returns says who uploads its log, or that it waits for its turn, until it takes it back")
    func relayedBy() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        for _ in 0..<10 {
            covey.feed(0, 50)
            covey.run(seconds: 1)
        }
        covey.kill(0)
        covey.run(seconds: 20)
        try covey.start(0)
        covey.run(seconds: 3)
        let reason = try #require(duties(covey, 0).reason)
        #expect(reason.hasPrefix("waits for its turn"))
        covey.reachesSink = [0, 1, 2]
        covey.run(seconds: 60)
        #expect(duties(covey, 0).reason == nil)
    }

    @Test("Where a sink takes nothing the reason has its error, and without anything pending there is none")
    func unreachable() throws {
        let covey = try CoveyBench(gateways: 1)
        covey.run(seconds: 10)
        #expect(duties(covey, 0).reason == nil)
        covey.reachesSink = []
        covey.feed(0, 5)
        covey.run(seconds: 60)
        let reason = try #require(duties(covey, 0).reason)
        #expect(reason.hasPrefix("the sink takes nothing: cut off"))
        covey.reachesSink = [0]
        covey.run(seconds: 60)
        #expect(duties(covey, 0).reason == nil)
    }

    @Test(
        "Who does not hear the next in rank goes on for four chunks, and after half a minute for good",
        arguments: [1, 2])
    func unheardSuccessor(peer: Int) throws {
        let covey = try CoveyBench(gateways: 3)
        covey.run(seconds: 10)
        covey.unheard = [0: peer]
        func feed(_ batches: Int) throws -> Int {
            for _ in 0..<batches {
                covey.feed(0, 8)
                covey.run(seconds: 0.5)
            }
            return covey.sent[try #require(covey.log(0))]?.count ?? 0
        }
        let first = try feed(16)
        #expect(97...128 ~= first, "into the fourth chunk of 32")
        covey.run(seconds: 35)
        #expect(try feed(32) == 384)
        for index in 0..<3 {
            #expect(covey.core(index).cluster?.membership.members.map(\.state) == [.alive, .alive])
        }
        #expect(duties(covey, 0).reason == nil)
    }

    private func duties(_ covey: CoveyBench, _ index: Int) -> UploadDuties {
        covey.core(index).duties(0, now: MonotonicInstant(nanoseconds: covey.time))
    }
}
