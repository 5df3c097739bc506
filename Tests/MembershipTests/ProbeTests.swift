import Environment
import Model
import Testing

@testable import Membership

@Suite struct ProbeTests {
    let peers = (1...6).map { Peer(UInt64($0)) }

    private func peer(_ node: NodeID) throws -> Peer { try #require(peers.first { $0.node == node }) }

    @Test func everyMemberIsAskedOnceInEachRound() throws {
        var rig = Rig(peers)
        var asked: [NodeID] = []
        for _ in 0..<12 {
            let (sequence, node) = rig.nextProbe()
            asked.append(node)
            rig.hear(.ack(sequence: sequence, passenger: [], []), from: try peer(node))
        }
        #expect(Set(asked.prefix(6)).count == 6)
        #expect(Set(asked.suffix(6)).count == 6)
        #expect(rig.machine.members.allSatisfy { $0.state == .alive })
    }

    @Test func aPingWithNothingToTellTakesSixtyBytesWithItsPassenger() {
        var rig = Rig(peers)
        rig.machine.passenger = Array(repeating: 7, count: 16)
        _ = rig.nextProbe()
        let ping = rig.sent.last { $0.message.pingSequence != nil }
        #expect(ping.map { $0.bytes.count <= 60 } == true)
    }

    @Test func withoutAnAnswerThreeOthersAndAStreamAreAskedAfterHalfASecond() throws {
        var rig = Rig(peers)
        let (sequence, node) = rig.nextProbe()
        rig.forgetSent()
        rig.pass(.milliseconds(499))
        #expect(rig.sent.isEmpty)
        rig.pass(.milliseconds(1))
        #expect(rig.messages(.datagram).filter(\.isPingRequest).count == 3)
        #expect(rig.messages(.frame).compactMap(\.pingSequence) == [sequence])
        #expect(rig.sent.last { $0.way == .frame }?.to == (try peer(node)).address)
    }

    @Test(arguments: [Way.datagram, .frame])
    func anAckByEitherWayEndsTheProbeWell(way: Way) throws {
        var rig = Rig(peers)
        rig.machine.localHealth = 1
        let (sequence, node) = rig.nextProbe()
        rig.pass(.milliseconds(1200))
        rig.hear(.ack(sequence: sequence, passenger: [], []), from: try peer(node), by: way)
        #expect(rig.machine.probe == nil)
        #expect(rig.machine.localHealth == 0)
        rig.pass(.milliseconds(700))
        #expect(rig.machine.member(node)?.state == .alive)
    }

    @Test func anAckBroughtByAnotherCountsToo() throws {
        var rig = Rig(peers)
        let (sequence, node) = rig.nextProbe()
        rig.pass(.milliseconds(600))
        let helper = try #require(peers.first { $0.node != node })
        rig.hear(.relayedAck(sequence: sequence, start: try peer(node).start), from: helper)
        #expect(rig.machine.probe == nil)
    }

    @Test func whatIsNotTheAnswerToThisProbeEndsNothing() throws {
        var rig = Rig(peers)
        let (sequence, node) = rig.nextProbe()
        let asked = try peer(node)
        let other = try #require(peers.first { $0.node != node })
        var earlier = asked
        earlier.start = StartID(4)
        rig.hear(.ack(sequence: sequence - 1, passenger: [1], []), from: asked)
        rig.hear(.ack(sequence: sequence, passenger: [1], []), from: other)
        rig.hear(.ack(sequence: sequence, passenger: [1], []), from: earlier)
        rig.hear(.ack(sequence: sequence, passenger: [1], []), from: asked, for: StartID(5))
        rig.hear(.relayedAck(sequence: sequence, start: asked.start), from: other)  // nobody was asked to help yet
        #expect(rig.machine.probe?.sequence == sequence)
        #expect(rig.machine.counts.stale == 5)
        #expect(!rig.others.contains { if case .passenger = $0 { true } else { false } })
    }

    @Test func theSilentOneIsSuspectedAndToldSoByBothWays() throws {
        var rig = Rig(peers)
        let (_, node) = rig.nextProbe()
        let address = try peer(node).address
        rig.pass(.milliseconds(999))
        rig.forgetSent()
        rig.pass(.milliseconds(1))
        #expect(rig.machine.member(node)?.state == .suspect)
        #expect(rig.changes.map(\.state) == [.suspect])
        for way in [Way.datagram, .frame] {
            let told = rig.sent.filter {
                $0.way == way && $0.to == address && $0.message.pingSequence != nil
                    && $0.message.records.contains { $0.node == node && $0.state == .suspect }
            }
            #expect(told.count == 1, "\(way)")
        }
    }

    @Test(arguments: [0, 1, 2, 3])
    func missingNacksWorsenLocalHealthAndPresentOnesDoNot(nacks: Int) throws {
        var rig = Rig(peers)
        let (sequence, _) = rig.nextProbe()
        rig.pass(.milliseconds(600))
        let helpers = rig.sent.filter(\.message.isPingRequest).map(\.to)
        for address in helpers.prefix(nacks) {
            rig.hear(.nack(sequence: sequence), from: try #require(peers.first { $0.address == address }))
        }
        rig.pass(.milliseconds(400))
        #expect(rig.machine.localHealth == 3 - nacks)
    }

    @Test func localHealthStretchesProbesAndStopsAtEight() throws {
        var rig = Rig(Array(peers.prefix(1)))
        rig.machine.localHealth = 8
        _ = rig.nextProbe()
        rig.forgetSent()
        rig.pass(.milliseconds(4499))
        #expect(rig.messages(.frame).compactMap(\.pingSequence).isEmpty)
        rig.pass(.milliseconds(1))
        #expect(rig.messages(.frame).compactMap(\.pingSequence).count == 1)
        #expect(rig.machine.member(peers[0].node)?.state == .alive)
        rig.pass(.milliseconds(4500))
        #expect(rig.machine.member(peers[0].node)?.state == .suspect)
        #expect(rig.machine.localHealth == 8)
    }

    @Test func aHelperPassesTheAckOnOrSaysInTimeThatThereIsNone() throws {
        var rig = Rig(peers)
        rig.forgetSent()
        let origin = peers[0]
        let target = peers[1]
        let request = Message.pingRequest(
            sequence: 4711, node: target.node, start: target.start, address: target.address, [])
        rig.hear(request, from: origin)
        let ping = try #require(rig.sent.first { $0.to == target.address }?.message.pingSequence)
        rig.hear(.ack(sequence: ping, passenger: [], []), from: target)
        #expect(rig.sent.last?.message == .relayedAck(sequence: 4711, start: target.start))
        #expect(rig.sent.last?.to == origin.address)
        rig.forgetSent()
        rig.hear(request, from: origin)
        rig.pass(.milliseconds(399))
        #expect(!rig.sent.contains { $0.message.isNack })
        rig.pass(.milliseconds(1))
        #expect(rig.sent.filter { $0.message == .nack(sequence: 4711) }.map(\.to) == [origin.address])
        rig.pass(.seconds(3))
        #expect(rig.machine.relays.isEmpty)
    }

    @Test func noMoreThanTheLimitIsPingedForOthers() {
        var rig = Rig(peers)
        rig.forgetSent()
        for number in 0..<200 {
            rig.hear(
                .pingRequest(
                    sequence: UInt64(number), node: peers[1].node, start: peers[1].start, address: peers[1].address,
                    []),
                from: peers[0])
        }
        #expect(rig.sent.filter { $0.message.pingSequence != nil }.count == MembershipLimits.relays)
    }

    @Test func aRequestForAnEarlierRunOfTheHelperIsPassedOver() {
        var rig = Rig(peers)
        let request = Message.pingRequest(
            sequence: 1, node: peers[1].node, start: peers[1].start, address: peers[1].address, [])
        rig.hear(request, from: peers[0], for: StartID(5))
        #expect(rig.sent.isEmpty)
        #expect(rig.machine.counts.stale == 1)
    }

    @Test func aNackFromBeforeAnybodyWasAskedDoesNotCount() {
        var rig = Rig(peers)
        let (sequence, _) = rig.nextProbe()
        rig.hear(.nack(sequence: sequence), from: peers[0])
        #expect(rig.machine.counts.stale == 1)
        rig.pass(.seconds(1))
        #expect(rig.machine.localHealth == 3)
    }

    @Test func anAckComesBackTheWayThePingCame() {
        var rig = Rig(peers)
        for way in [Way.datagram, .frame] {
            rig.forgetSent()
            rig.hear(.ping(sequence: 9, passenger: [3], []), from: peers[2], by: way)
            #expect(rig.messages(way).contains { $0.isAck })
            #expect(rig.others == [.passenger([3], from: peers[2].node)])
        }
    }

    @Test func whoIsHeldForDeadIsToldSoWithTheAck() {
        var rig = Rig(peers)
        rig.hear(.rumours([peers[2].record(.dead)]), from: peers[0])
        rig.forgetSent()
        rig.hear(.ping(sequence: 9, passenger: [], []), from: peers[2])
        let told = rig.sent.first { $0.message.isAck }?.message.records.first
        #expect(told?.node == peers[2].node)
        #expect(told?.state == .dead)
    }

    @Test func aProcessThatStoodStillAccusesNobody() {
        var rig = Rig(peers)
        _ = rig.nextProbe()
        rig.hear(.rumours([peers[5].record(.suspect, by: peers[0])]), from: peers[0])
        rig.forgetSent()
        rig.now = rig.now.advanced(by: .seconds(600))
        rig.step(.tick)
        #expect(rig.machine.counts.failedProbes == 0)
        #expect(rig.machine.localHealth == 1)
        #expect(rig.machine.member(peers[5].node)?.state == .suspect)
        #expect(rig.changes.isEmpty)
    }

    @Test func theDeadAreAskedNowAndThenAndComeBackByContradicting() {
        var rig = Rig(Array(peers.prefix(2)))
        rig.hear(.rumours([peers[1].record(.dead)]), from: peers[0])
        rig.forgetSent()
        rig.pass(.seconds(20))
        let asked = rig.sent.filter { $0.to == peers[1].address && $0.message.pingSequence != nil }
        #expect((2...9).contains(asked.count))
        #expect(asked.allSatisfy { $0.message.records.contains { $0.node == peers[1].node && $0.state == .dead } })
        rig.forgetSent()
        rig.hear(.ack(sequence: 0, passenger: [], [peers[1].record(.alive, 2)]), from: peers[1])
        #expect(rig.changes.map(\.state) == [.alive])
        // What the two sides missed of each other is brought by a sync at once.
        #expect(rig.messages(.frame).contains { if case .sync = $0 { true } else { false } })
        // Who only hears of a return from others does not add to the crowd.
        rig.pass(.seconds(2))
        rig.hear(.rumours([peers[1].record(.dead, 2)]), from: peers[0])
        rig.forgetSent()
        rig.hear(.rumours([peers[1].record(.alive, 3)]), from: peers[0])
        #expect(rig.changes.map(\.state) == [.alive])
        #expect(!rig.messages(.frame).contains { if case .sync = $0 { true } else { false } })
    }
}
