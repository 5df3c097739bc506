import Environment
import Model
import Testing

@testable import Membership

@Suite struct JoinTests {
    let seed = Peer(1)

    @Test func seedsThatDoNotAnswerAreTriedForEverMoreAndMoreSeldom() {
        var rig = Rig(seeds: [seed.address, Rig.address])
        var attempts: [Int64] = []
        for _ in 0..<3600 {
            rig.pass(.seconds(1))
            if !rig.sent.isEmpty { attempts.append(rig.now.nanoseconds / 1_000_000_000) }
            #expect(rig.sent.allSatisfy { $0.to == seed.address && $0.way == .frame })
            rig.forgetSent()
        }
        let pauses = zip(attempts.dropFirst(), attempts).map { $0 - $1 }
        #expect(pauses[0] <= 3)
        #expect(pauses.suffix(20).allSatisfy { (24...37).contains($0) })
        #expect(attempts.count > 100)
    }

    @Test func pausesBetweenAttemptsVaryByAFifthEitherWay() {
        let pauses = (1...200).map { seed in
            let rig = Rig(seed: UInt64(seed), seeds: [self.seed.address])
            return rig.now.duration(to: rig.machine.nextJoinAt)
        }
        #expect(pauses.allSatisfy { (.milliseconds(800)...(.milliseconds(1200))).contains($0) })
        #expect(pauses.contains { $0 < .milliseconds(820) } && pauses.contains { $0 > .milliseconds(1180) })
    }

    @Test func aSeedThatAnsweredIsLeftAloneWhileItsMemberIsPresent() throws {
        var rig = Rig(seeds: [PeerAddress("seed.example:8472")!])
        rig.pass(.seconds(5))
        guard case .state(let sequence, _, let wantsAnswer, let records)? = rig.sent.last?.message else {
            Issue.record("no state was sent")
            return
        }
        #expect(wantsAnswer)
        #expect(records.map(\.node) == [Rig.node])
        rig.hear(
            .state(sequence: sequence, isLast: true, wantsAnswer: false, [seed.record()]), from: seed, by: .frame)
        #expect(rig.changes.map(\.node) == [seed.node])
        rig.forgetSent()
        rig.pass(.milliseconds(400))
        for _ in 0..<120 {
            rig.pass(.milliseconds(500))
            if let probe = rig.machine.probe {
                rig.hear(.ack(sequence: probe.sequence, passenger: [], []), from: seed)
            }
        }
        #expect(!rig.sent.contains { $0.to.text.hasPrefix("seed") })
        rig.hear(.rumours([seed.record(.dead)]), from: seed)
        rig.pass(.seconds(60))
        #expect(rig.sent.contains { $0.to.text.hasPrefix("seed") })
    }

    @Test func aSeedThatIsOurselvesIsTriedOnce() {
        var rig = Rig(seeds: [PeerAddress("us.example:8472")!])
        rig.pass(.seconds(4))
        guard let own = rig.sent.last else {
            Issue.record("nothing was sent")
            return
        }
        rig.step(.frame(own.bytes, from: Rig.address))
        rig.forgetSent()
        rig.pass(.seconds(300))
        #expect(rig.sent.isEmpty)
        #expect(rig.machine.members.isEmpty)
    }

    @Test func aStrangerThatPingsIsAskedWhoItIs() {
        var rig = Rig()
        rig.hear(.ping(sequence: 1, passenger: [1], []), from: seed, for: StartID(5))
        let answer = rig.messages(.datagram).first
        // It meant an earlier run of ours, so it is told of this one.
        #expect(answer?.isAck == true && answer?.records.first?.node == Rig.node)
        #expect(rig.messages(.frame).count == 1)
        #expect(rig.machine.members.isEmpty)
        rig.hear(.ping(sequence: 1, passenger: [1], []), from: seed, for: StartID(5))
        #expect(rig.messages(.frame).count == 1, "once a second at most")
    }

    @Test func anUnreachablePartnerIsReplacedSoon() throws {
        var rig = Rig((1...3).map { Peer(UInt64($0)) })
        for peer in (1...3).map({ Peer(UInt64($0)) }) {
            rig.hear(.rumours([peer.record(.alive, 2)]), from: peer)
        }
        rig.machine.nextPushPullAt = rig.now
        rig.forgetSent()
        rig.step(.tick)
        let partner = try #require(rig.sent.first { if case .sync = $0.message { true } else { false } }).to
        rig.forgetSent()
        rig.step(.unreachable(partner))
        rig.pass(.seconds(1))
        #expect(rig.messages(.datagram).contains { if case .sync = $0 { true } else { false } })
    }

    @Test func aloneLeavingIsOverAtOnce() {
        var rig = Rig()
        rig.step(.leave)
        #expect(rig.others == [.left])
        rig.forgetSent()
        rig.hear(.ping(sequence: 1, passenger: [], []), from: seed)
        #expect(rig.sent.isEmpty)
    }

    @Test func whoLeavesSaysSoAndDoesNotContradictAnyMore() {
        var rig = Rig((1...5).map { Peer(UInt64($0)) })
        rig.step(.leave)
        #expect(rig.messages(.frame).count == MembershipLimits.farewells)
        #expect(rig.sent.allSatisfy { $0.message.records.contains { $0.node == Rig.node && $0.state == .left } })
        var accused = rig.machine.ownRecord(rig.now)
        accused.state = .dead
        rig.hear(.rumours([accused]), from: Peer(1))
        #expect(rig.machine.incarnation == Incarnation(1))
        rig.pass(.seconds(2))
        #expect(rig.others.filter { $0 == .left }.count == 1)
    }
}
