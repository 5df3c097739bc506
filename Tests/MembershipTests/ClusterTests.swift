import Environment
import Model
import Testing

@testable import Membership

@Suite struct ClusterTests {
    @Test func sixtyFourThatStartWithOneSeedKnowEachOtherWithinFiveSeconds() throws {
        var cluster = Cluster(seed: 1)
        cluster.addMany(64)
        let seconds = try #require(cluster.run(upTo: 20) { $0.isWhole })
        #expect(seconds <= 5)
        #expect(cluster.deaths().isEmpty)
    }

    @Test func aCrashIsFoundByAllWithinTheTimeThatSwimPromises() throws {
        var cluster = Cluster(seed: 2)
        cluster.addMany(16)
        cluster.run(seconds: 10)
        cluster.crash(5)
        let survivors = cluster.up
        let seconds = try #require(
            cluster.run(upTo: 60) { $0.states(of: Cluster.node(5), at: survivors).allSatisfy { $0 == .dead } })
        // A probe within about 2 s, its end 1 s later, confirmations, then 4 · log10 16 s; the dogpile must have
        // shrunk 29 s to near it.
        #expect((4.8...15).contains(seconds), "\(seconds)")
        #expect(Set(cluster.deaths().map(\.member.node)) == [Cluster.node(5)])
    }

    @Test func ofThreeTheDeadOneIsFoundAfterEightSeconds() throws {
        var cluster = Cluster(seed: 3)
        cluster.addMany(3)
        cluster.run(seconds: 10)
        cluster.crash(2)
        let seconds = try #require(
            cluster.run(upTo: 60) { $0.states(of: Cluster.node(2), at: [0, 1]).allSatisfy { $0 == .dead } })
        #expect((8...14).contains(seconds), "\(seconds)")
    }

    @Test(arguments: [0.3, 0.5])
    func lostDatagramsKillNobodyWhileStreamsStand(loss: Double) {
        var cluster = Cluster(seed: 4)
        cluster.loss = loss
        cluster.doubling = 0.1
        cluster.addMany(32)
        cluster.run(seconds: 60)
        #expect(cluster.deaths().isEmpty)
        #expect(cluster.isWhole)
    }

    @Test func lostDatagramsWithoutStreamsAreSurvivedByContradiction() {
        var cluster = Cluster(seed: 5)
        cluster.addMany(16)
        cluster.run(seconds: 10)
        cluster.loss = 0.2
        cluster.streamsWork = false
        cluster.run(seconds: 120)
        #expect(cluster.deaths().isEmpty)
    }

    @Test func aPartitionHealsWithoutSeeds() throws {
        var cluster = Cluster(seed: 6)
        cluster.addMany(16)
        cluster.run(seconds: 10)
        for index in 0..<8 { cluster.island[index] = 1 }
        cluster.run(seconds: 90)
        #expect(cluster.states(of: Cluster.node(12), at: Array(0..<8)).allSatisfy { $0 == .dead })
        for index in cluster.nodes.indices { cluster.step(index, .seeds([])) }
        cluster.island = [:]
        let seconds = try #require(cluster.run(upTo: 120) { $0.isWhole })
        #expect(seconds < 30, "\(seconds)")
        cluster.run(seconds: 60)
        #expect(cluster.isWhole)
        #expect(Set(cluster.nodes.map(\.machine.digest)).count == 1)
    }

    @Test func aLeaverIsSaidToHaveLeftAndNeverToBeDead() throws {
        var cluster = Cluster(seed: 7)
        cluster.addMany(12)
        cluster.run(seconds: 10)
        cluster.step(4, .leave)
        let others = cluster.up.filter { $0 != 4 }
        let seconds = try #require(cluster.run(upTo: 10) { $0.nodes[4].hasLeft })
        #expect(seconds <= 2.1)
        cluster.run(seconds: 2)
        #expect(cluster.states(of: Cluster.node(4), at: others).allSatisfy { $0 == .left })
        cluster.run(seconds: 60)
        #expect(cluster.deaths().isEmpty)
        cluster.restart(4, seeds: [Cluster.address(0)])
        #expect(cluster.run(upTo: 10) { $0.isWhole } != nil)
    }

    @Test func aRestartAtTheSameAddressReplacesTheOldRun() throws {
        var cluster = Cluster(seed: 8)
        cluster.addMany(8)
        cluster.run(seconds: 10)
        cluster.crash(3)
        cluster.run(seconds: 1)
        cluster.restart(3, seeds: [Cluster.address(0)])
        let seconds = try #require(cluster.run(upTo: 30) { $0.isWhole })
        #expect(seconds <= 5)
        #expect(cluster.deaths().isEmpty)
        #expect(cluster.alarms.isEmpty)
    }

    @Test func aRestartThatHasForgottenItsIncarnationAndItsSeedsIsTakenBack() {
        var cluster = Cluster(seed: 9)
        cluster.addMany(8)
        cluster.run(seconds: 10)
        for _ in 0..<3 {
            cluster.crash(3)
            cluster.run(seconds: 30)
            // No seeds at all: the others ask the dead now and then.
            cluster.restart(3, seeds: [], kept: Incarnation(0))
            #expect(cluster.run(upTo: 60) { $0.isWhole } != nil)
        }
    }

    @Test func aGatewayThatMovedReplacesItsOldAddressWithoutAnAlarm() throws {
        var cluster = Cluster(seed: 10)
        cluster.addMany(8)
        cluster.run(seconds: 10)
        cluster.crash(3)
        cluster.restart(3, at: PeerAddress("10.0.9.9:8472")!, seeds: [Cluster.address(0)])
        let seconds = try #require(cluster.run(upTo: 60) { $0.isWhole })
        #expect(seconds <= 12, "\(seconds)")
        #expect(cluster.alarms.isEmpty)
        #expect(cluster.nodes.allSatisfy { $0.clonedBy == nil })
    }

    @Test(arguments: [UInt64(11), 12, 13, 14])
    func ofTwoLiveGatewaysWithOneNodeIdTheYoungerGivesWay(seed: UInt64) throws {
        var cluster = Cluster(seed: seed)
        cluster.addMany(8)
        cluster.run(seconds: 10)
        let kept = cluster.nodes[3].kept
        let clone = cluster.add(
            node: Cluster.node(3), address: PeerAddress("10.0.9.9:8472")!, seeds: [Cluster.address(0)],
            kept: Incarnation(kept.rawValue + (seed % 2) * 5))
        let seconds = try #require(cluster.run(upTo: 60) { $0.nodes[clone].clonedBy != nil })
        #expect(seconds <= 10, "\(seconds)")
        #expect(cluster.nodes[clone].clonedBy == Cluster.address(3))
        #expect(cluster.nodes[3].clonedBy == nil)
        #expect(!cluster.alarms.isEmpty)
        cluster.run(seconds: 30)
        #expect(cluster.isWhole)
    }

    @Test func twoWithOneNodeIdThatMeetAfterAPartitionAreToldApartToo() throws {
        var cluster = Cluster(seed: 15)
        for index in 0..<8 { cluster.island[index] = index / 4 }
        for index in 0..<8 {
            cluster.add(seeds: [Cluster.address(0), Cluster.address(4)].filter { $0 != Cluster.address(index) })
        }
        cluster.run(seconds: 10)
        let clone = cluster.add(
            node: Cluster.node(2), address: PeerAddress("10.0.9.9:8472")!, seeds: [Cluster.address(4)])
        cluster.island[clone] = 1
        cluster.run(seconds: 60)
        #expect(cluster.nodes[5].machine.member(Cluster.node(2))?.address == cluster.nodes[clone].address)
        cluster.island = [:]
        _ = try #require(cluster.run(upTo: 90) { $0.nodes[clone].clonedBy != nil })
        #expect(cluster.nodes[2].clonedBy == nil)
        cluster.run(seconds: 60)
        #expect(cluster.isWhole)
    }

    @Test func aMemberForgottenByHandIsForgottenByAllAndMayComeBack() {
        var cluster = Cluster(seed: 16)
        cluster.addMany(6)
        cluster.run(seconds: 10)
        cluster.crash(5)
        cluster.run(seconds: 40)
        cluster.step(1, .forget(Cluster.node(5)))
        cluster.run(seconds: 90)
        #expect(cluster.up.allSatisfy { cluster.nodes[$0].machine.members.count == 4 })
        #expect(Set(cluster.up.map { cluster.nodes[$0].machine.digest }).count == 1)
        cluster.restart(5, seeds: [Cluster.address(0)], kept: Incarnation(0))
        #expect(cluster.run(upTo: 30) { $0.isWhole } != nil)
    }

    @Test func aQuietCoveyOfSixtyFourCostsAFewHundredBytesASecondEach() {
        var cluster = Cluster(seed: 17)
        cluster.addMany(64)
        cluster.run(seconds: 30)
        (cluster.datagramBytes, cluster.frameBytes) = (0, 0)
        cluster.run(seconds: 60)
        let each = Double(cluster.datagramBytes + cluster.frameBytes) / 60 / 64
        #expect(each < 150, "\(each) bytes/s sent by each")
        #expect(cluster.nodes.allSatisfy { $0.machine.rumours.isEmpty })
    }

    @Test func theSameSeedGivesTheSameRun() {
        var steps: [Int] = []
        var bytes: [Int] = []
        for _ in 0..<2 {
            var cluster = Cluster(seed: 18)
            cluster.loss = 0.2
            cluster.addMany(8)
            cluster.run(seconds: 20)
            steps.append(cluster.steps)
            bytes.append(cluster.datagramBytes)
        }
        #expect(steps[0] == steps[1])
        #expect(bytes[0] == bytes[1])
    }
}
