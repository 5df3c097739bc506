import Environment
import Membership
import Model
import Replication
import RingLog
import Simulator
import Sinks
import Testing

@testable import GatewayCore

@Suite struct CoveyTests {
    @Test("Three gateways find each other, and a reading of one is on all disks within two seconds")
    func copies() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        for index in 0..<3 { #expect(covey.core(index).cluster?.alive.count == 2) }
        covey.feed(0, 20)
        covey.run(seconds: 2)
        let log = try #require(covey.log(0))
        for index in 0..<3 { #expect(covey.held(log, by: index) == 20) }
    }

    @Test("A source that wants three disks is answered when three have its reading, and not before")
    func acks() throws {
        let covey = try CoveyBench(gateways: 3, acks: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        let ticket = covey.feed(0, 5)
        covey.run(seconds: 0.007)
        #expect(covey.core(0).ring.durableEnd == Offset(5))
        #expect(covey.boxes[0].settled.isEmpty)
        covey.run(seconds: 2)
        #expect(covey.boxes[0].settled == [ticket])
    }

    @Test("Where sources wait for copies, each of many readings is answered within a fifth of a second")
    func promptAnswers() throws {
        let covey = try CoveyBench(gateways: 3, acks: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        var tickets: [Ticket] = []
        for _ in 0..<20 {
            tickets.append(covey.feed(0, 1))
            covey.run(seconds: 0.2)
            #expect(covey.boxes[0].settled == tickets)
        }
    }

    @Test("What a dead gateway had not uploaded is uploaded by one survivor, once")
    func survivor() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        for _ in 0..<10 {
            covey.feed(0, 50)
            covey.run(seconds: 1)
        }
        let log = try #require(covey.log(0))
        covey.run(seconds: 2)
        covey.kill(0)
        covey.reachesSink = [1, 2]
        covey.run(seconds: 60)
        #expect(covey.sent[log]?.sorted() == Array(0..<500))
        #expect(covey.reports.filter { $0.contains("digest") } == [])
    }

    @Test("A gateway whose disk is gone gets its old log back from its peers")
    func rejoin() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.reachesSink = []
        covey.run(seconds: 10)
        covey.feed(0, 60)
        covey.run(seconds: 3)
        let log = try #require(covey.log(0))
        covey.kill(0)
        covey.boxes[0].disk = .init(size: covey.boxes[0].disk.size)
        covey.run(seconds: 5)
        try covey.start(0)
        covey.run(seconds: 30)
        #expect(covey.held(log, by: 0) == 60)
        covey.reachesSink = [0, 1, 2]
        covey.run(seconds: 60)
        #expect(covey.sent[log]?.sorted() == Array(0..<60))
    }

    @Test("What one gateway uploaded the others let go, and send nothing twice")
    func receipts() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.run(seconds: 12)
        for _ in 0..<20 {
            covey.feed(1, 40)
            covey.run(seconds: 1)
        }
        covey.run(seconds: 20)
        let log = try #require(covey.log(1))
        #expect(covey.sent[log]?.sorted() == Array(0..<800))
        for index in [0, 2] {
            let name = LogName(node: CoveyBench.node(1), log: log)
            #expect(covey.core(index).cluster?.duty.settledEverywhere(name) == true)
        }
        #expect(covey.core(1).sinks[0].machine.counts.pending == 0)
    }

    @Test("A gateway that leaves is not waited for: the others count without it at once")
    func leaves() throws {
        let covey = try CoveyBench(gateways: 3, acks: 3)
        covey.run(seconds: 10)
        covey.step(.leave, 2)
        covey.run(seconds: 3)
        #expect(covey.core(0).cluster?.known == [CoveyBench.node(1)])
        let ticket = covey.feed(0, 5)
        covey.run(seconds: 2)
        #expect(covey.boxes[0].settled == [ticket])
    }

    @Test("A cloned card gets a node id of its own, and what it wrote before keeps its name", arguments: [true, false])
    func clone(isDated: Bool) throws {
        let covey = try CoveyBench.withClone()
        covey.feed(2, 10, isDated: isDated)
        covey.run(seconds: 30)
        #expect(covey.core(2).cluster?.node != CoveyBench.node(0))
        #expect(covey.core(0).cluster?.node == CoveyBench.node(0))
        #expect(covey.reports.contains { $0.contains("cloned card") })
        covey.feed(2, 10)
        covey.reachesSink = [0, 1, 2]
        covey.run(seconds: 60)
        let logs = covey.core(2).ring.logs.map(\.log).suffix(2)
        // What it wrote under the name that two had, both may send.
        #expect(logs.allSatisfy { Set(covey.sent[$0] ?? []) == Set(0..<10) })
        #expect(covey.core(1).ring.copies.contains { $0.node == covey.core(2).cluster?.node })
    }

    @Test("A source that waits for copies while its gateway takes another name is answered all the same")
    func answeredUnderAnotherName() throws {
        let covey = try CoveyBench.withClone(acks: 3)
        var tickets = [covey.feed(2, 50)]
        covey.run(seconds: 40)
        #expect(covey.core(2).cluster?.node != CoveyBench.node(0))
        tickets.append(covey.feed(2, 10))
        covey.run(seconds: 30)
        #expect(covey.boxes[2].settled == tickets)
    }

    @Test("Devices and newest values of every gateway are seen from any")
    func bulletin() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.run(seconds: 10)
        for index in 0..<3 { covey.feed(index, 3) }
        covey.run(seconds: 40)
        for index in 0..<3 {
            #expect(covey.core(index).coveyDevices.map(\.device.rawValue) == ["d0", "d1", "d2"])
            #expect(covey.core(index).coveyValues.count == 3)
            #expect(covey.core(index).health(of: CoveyBench.node((index + 1) % 3))?.isDurable == true)
        }
    }
}

extension CoveyTests {
    @Test("A gateway that had to send from memory goes on sending when its disk is back")
    func diskReturns() throws {
        let covey = try CoveyBench(gateways: 2)
        covey.run(seconds: 12)
        covey.boxes[0].disk.refuse(.readOnly)
        for _ in 0..<20 {
            covey.feed(0, 10)
            covey.run(seconds: 1)
        }
        #expect(covey.core(0).isMemoryOnly)
        covey.boxes[0].disk.refuse(nil)
        covey.run(seconds: 60)
        #expect(!covey.core(0).isMemoryOnly)
        covey.feed(0, 10)
        covey.run(seconds: 20)
        #expect(covey.core(0).sinks[0].machine.counts.uploaded == 210)
        #expect(covey.core(0).sinks[0].machine.counts.pending == 0)
    }

    @Test("What left memory while there was no disk is claimed by nobody, and holds up no source that wants two disks")
    func gapInMemory() throws {
        let covey = try CoveyBench(gateways: 2, acks: 2, requiresSink: false)
        covey.run(seconds: 12)
        covey.feed(0, 10)
        covey.run(seconds: 2)
        covey.boxes[0].disk.refuse(.readOnly)
        for _ in 0..<20 {
            covey.feed(0, 10)
            covey.run(seconds: 1)
        }
        #expect(covey.core(0).isMemoryOnly)
        covey.boxes[0].disk.refuse(nil)
        covey.reachesSink = []
        covey.run(seconds: 60)
        let log = try #require(covey.log(0))
        let last = covey.feed(0, 10)
        covey.run(seconds: 10)
        #expect(covey.boxes[0].settled.contains(last))
        let held = covey.core(0).ring.ranges(of: log)
        #expect(!covey.core(0).ring.gaps(of: log).isEmpty)
        #expect(covey.core(1).ring.ranges(of: log) == held)
        let name = LogName(node: CoveyBench.node(0), log: log)
        let claimed = covey.core(1).cluster?.replicator.holders(of: name, at: held[0].upperBound)
        #expect(claimed == [], "nobody has what left memory")
    }

    @Test("The journal tells once of each change of a member's state, with its name and address")
    func journal() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.run(seconds: 15)
        covey.kill(2)
        covey.run(seconds: 40)
        try covey.start(2)
        covey.run(seconds: 40)
        let told = covey.reports.filter { $0.contains(", gateway 0: gateway gateway 2 at g2") }
            .compactMap { $0.split(separator: " at g2 ").last.map(String.init) }
        #expect(
            told == [
                "is alive", "does not answer", "is dead: others do its work until it comes back", "is alive",
            ])
    }

    @Test("A gateway whose disk refuses its first syncs claims nothing of what it found, until a commit goes well")
    func refusedStart() throws {
        let covey = try CoveyBench(gateways: 2)
        covey.reachesSink = []
        covey.run(seconds: 12)
        covey.feed(0, 20)
        covey.run(seconds: 5)
        let log = try #require(covey.log(0))
        let name = LogName(node: CoveyBench.node(0), log: log)
        for index in 0..<2 { covey.kill(index) }
        covey.boxes[1].disk.refuse(.failed)
        for index in 0..<2 { try covey.start(index) }
        covey.run(seconds: 30)
        func holders() -> [NodeID]? { covey.core(0).cluster?.replicator.holders(of: name, at: Offset(19)) }
        #expect(covey.held(log, by: 1) == 20)
        #expect(covey.core(0).cluster?.alive == [CoveyBench.node(1)])
        #expect(holders() == [CoveyBench.node(0)])
        covey.boxes[1].disk.refuse(nil)
        covey.feed(1, 1)
        covey.run(seconds: 60)
        #expect(holders() == [CoveyBench.node(0), CoveyBench.node(1)])
    }

    @Test("Copies that no sink must have make room for newer ones")
    func nothingRequired() throws {
        let covey = try CoveyBench(gateways: 2, acks: 2, requiresSink: false, segments: 12)
        covey.run(seconds: 12)
        var tickets: [Ticket] = []
        for _ in 0..<80 {
            for index in 0..<2 { tickets.append(covey.feed(index, 10, bytes: 600)) }
            covey.run(seconds: 1)
        }
        covey.run(seconds: 5)
        let settled = covey.boxes.flatMap(\.settled)
        #expect(Set(settled) == Set(tickets))
        let log = try #require(covey.log(0))
        #expect(covey.core(1).ring.ranges(of: log).last?.upperBound == covey.core(0).ring.durableEnd)
        #expect(covey.core(1).ring.statistics.evictedCopies > 0)
    }

    @Test("A ring without room for a copy tries again for as long as it has none")
    func fullRing() throws {
        let covey = try CoveyBench(gateways: 2, segments: 8, copiesShare: 0.01)
        covey.reachesSink = []
        covey.run(seconds: 12)
        for _ in 0..<40 {
            covey.feed(0, 60, bytes: 200)
            covey.run(seconds: 3)
        }
        covey.run(seconds: 100)
        let refusals = try #require(covey.core(1).cluster?.replicator.counts.noRoom)
        #expect(refusals > 0)
        covey.run(seconds: 200)
        #expect(try #require(covey.core(1).cluster?.replicator.counts.noRoom) > refusals)
    }

    @Test("A gateway that gets another address is found there, its log goes on, and nothing is sent twice")
    func moves() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.run(seconds: 12)
        covey.feed(0, 20)
        covey.run(seconds: 3)
        let log = try #require(covey.log(0))
        let elsewhere = try #require(PeerAddress("elsewhere"))
        covey.move(0, to: elsewhere)
        covey.run(seconds: 30)
        for index in 1..<3 {
            let member = covey.core(index).cluster?.membership.member(CoveyBench.node(0))
            #expect(member?.address == elsewhere && member?.state == .alive)
        }
        covey.feed(0, 20)
        covey.run(seconds: 20)
        #expect(covey.log(0) == log)
        for index in 0..<3 { #expect(covey.held(log, by: index) == 40) }
        #expect(covey.sent[log]?.sorted() == Array(0..<40))
    }

    @Test("A gateway that hears of a seed and gets another address at once still goes to that seed")
    func movesToASeed() throws {
        let covey = try CoveyBench(gateways: 2, isSeeded: false)
        covey.run(seconds: 5)
        #expect(covey.core(0).cluster?.membership.members.isEmpty == true)
        covey.tell(0, seed: 1)
        covey.move(0, to: try #require(PeerAddress("elsewhere")))
        covey.run(seconds: 20)
        #expect(covey.core(1).cluster?.membership.member(CoveyBench.node(0))?.state == .alive)
        #expect(covey.core(0).cluster?.membership.member(CoveyBench.node(1))?.state == .alive)
    }
}
