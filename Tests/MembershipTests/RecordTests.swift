import Environment
import Model
import Testing

@testable import Membership

/// What is believed of others and said of ourselves.
@Suite struct RecordTests {
    let peers = (1...4).map { Peer(UInt64($0)) }

    @Test func aContradictionRaisesOurIncarnationAndIsKeptAndTold() {
        var rig = Rig(peers)
        let ourselves = rig.machine.ownRecord(rig.now)
        var accused = ourselves
        accused.state = .suspect
        accused.accuser = peers[1].node
        rig.hear(.ping(sequence: 1, passenger: [], [accused]), from: peers[0])
        #expect(rig.machine.incarnation == Incarnation(2))
        #expect(rig.machine.localHealth == 1)
        #expect(rig.others.contains(.keep(Incarnation(2))))
        let ack = rig.sent.first { $0.message.isAck }
        #expect(ack?.message.records.first?.incarnation == Incarnation(2))
        #expect(ack?.message.records.first?.state == .alive)
        // The same accusation again is old: nothing changes, its sender is corrected.
        rig.forgetSent()
        rig.hear(.rumours([accused]), from: peers[0])
        #expect(rig.machine.incarnation == Incarnation(2))
        #expect(rig.others.isEmpty)
        #expect(rig.sent.contains { $0.to == peers[0].address && $0.message.records.first?.node == Rig.node })
    }

    @Test func aRecordOfOurEarlierRunIsOverruled() {
        var rig = Rig(peers)
        var earlier = rig.machine.ownRecord(rig.now)
        earlier.start = StartID(1)
        earlier.incarnation = Incarnation(40)
        rig.hear(.rumours([earlier]), from: peers[0])
        #expect(rig.machine.incarnation == Incarnation(41))
        #expect(rig.machine.counts.refutations == 0)
    }

    @Test func theFirstRunTakesIncarnationOneAndKeepsIt() {
        var machine = Membership(
            identity: MemberIdentity(
                node: Rig.node, start: Rig.start, name: "", version: ProtocolVersion(major: 1, minor: 0), features: 0),
            address: Rig.address, incarnation: Incarnation(7), seeds: [])
        var random = SeededRandom(seed: 1)
        let directives = machine.step(.started, now: MonotonicInstant(nanoseconds: 0), using: &random)
        #expect(directives.contains(.keep(Incarnation(8))))
    }

    /// Records about one subject, in every order, with any of them lost: the highest that arrived stands.
    @Test func whateverArrivesInWhateverOrderTheHighestRecordStands() {
        let subject = peers[2]
        var later = subject
        later.start = StartID(9999)
        let records = [
            subject.record(.suspect, 1, by: peers[0]), subject.record(.dead, 1), subject.record(.alive, 2),
            subject.record(.suspect, 2, by: peers[1]), later.record(.alive, 3),
        ]
        var orders = 0
        for order in permutations(Array(records.indices)) {
            var rig = Rig(peers)
            var highest = subject.record().order
            for (position, index) in order.enumerated() {
                rig.hear(.rumours([records[index]]), from: peers[0])
                highest = max(highest, records[index].order)
                // Each prefix of an order is that order with the rest lost.
                let member = rig.machine.member(subject.node)
                #expect(member?.order == highest, "order \(order), position \(position)")
                orders += 1
            }
            #expect(rig.machine.incarnation == Incarnation(1))
        }
        #expect(orders == 600)
    }

    @Test func twoThatHeardTheSameHaveTheSameDigestInWhateverOrder() {
        let records = [
            peers[0].record(.alive, 3), peers[1].record(.dead, 2), peers[2].record(.left, 1),
            peers[3].record(.alive, 2),
            peers[1].record(.alive, 3),
        ]
        var digests: Set<UInt64> = []
        for order in permutations(Array(records.indices)) {
            var rig = Rig(peers)
            for index in order { rig.hear(.rumours([records[index]]), from: peers[0]) }
            digests.insert(rig.machine.digest)
        }
        #expect(digests.count == 1)
    }

    @Test func aPageOfStateKillsNobodyItOnlyAccuses() {
        var rig = Rig(peers)
        rig.hear(
            .state(sequence: 1, isLast: true, wantsAnswer: true, [peers[0].record(), peers[2].record(.dead)]),
            from: peers[0], by: .frame)
        #expect(rig.machine.member(peers[2].node)?.state == .suspect)
        #expect(rig.messages(.frame).contains { $0.records.count == 5 })
    }

    @Test func theDeadOfAStrangerAreLearnedUnlessLongGone() {
        var rig = Rig(Array(peers.prefix(1)))
        var long = peers[2].record(.dead)
        long.age = 7 * 24 * 3600 - 60
        var short = peers[3].record(.dead)
        short.age = 3600
        rig.hear(.state(sequence: 1, isLast: true, wantsAnswer: false, [long, short]), from: peers[0], by: .frame)
        #expect(rig.machine.member(peers[2].node) == nil)
        #expect(rig.machine.member(peers[3].node)?.state == .dead)
        rig.forgetSent()
        rig.now = rig.now.advanced(by: .seconds(7 * 24 * 3600))
        rig.step(.tick)
        #expect(rig.machine.member(peers[3].node) == nil)
        #expect(rig.changes.contains { $0.node == peers[3].node && $0.state == .forgotten })
    }

    @Test func whoWasForgottenByHandIsNotBroughtBackByWhoHasNotHeard() {
        var rig = Rig(peers)
        rig.hear(.rumours([peers[2].record(.dead)]), from: peers[0])
        rig.step(.forget(peers[2].node))
        rig.step(.forget(peers[3].node))  // alive: no effect
        #expect(rig.changes.last?.state == .forgotten)
        rig.hear(.rumours([peers[2].record(.dead), peers[2].record(.alive)]), from: peers[0])
        #expect(rig.machine.member(peers[2].node) == nil)
        #expect(rig.machine.members.count == 3)
        rig.hear(.rumours([peers[2].record(.alive, 2)]), from: peers[0])
        #expect(rig.machine.member(peers[2].node)?.state == .alive)
    }

    @Test func whatIsSaidOfAForgottenMemberTellsWhenItWasForgotten() {
        var rig = Rig(peers)
        rig.hear(.rumours([peers[2].record(.dead)]), from: peers[0])
        rig.now = rig.now.advanced(by: .seconds(3600))
        rig.step(.forget(peers[2].node))
        let forgotten = rig.changes.last { $0.node == peers[2].node }
        #expect(forgotten?.state == .forgotten)
        #expect(forgotten?.since == rig.now)
    }

    @Test func aWholeStateTellsOfTheForgottenToo() {
        var rig = Rig(peers)
        rig.hear(.rumours([peers[2].record(.dead)]), from: peers[0])
        rig.step(.forget(peers[2].node))
        rig.forgetSent()
        rig.hear(.sync(sequence: 7, digest: 0), from: peers[0], by: .frame)
        let told = rig.messages(.frame).flatMap(\.records)
        #expect(Set(told.map(\.node)) == Set(peers.map(\.node) + [Rig.node]) && told.count == 5)
        #expect(told.filter { $0.state == .forgotten }.map(\.node) == [peers[2].node])
    }

    @Test func noMoreMembersAreTakenInThanTheLimit() {
        var rig = Rig(Array(peers.prefix(1)))
        for hundred in 0..<45 {
            let records = (0..<100).map { number in
                var record = peers[1].record()
                record.node = NodeID(high: UInt64(hundred * 100 + number + 10), low: 1)
                return record
            }
            rig.hear(.state(sequence: 1, isLast: true, wantsAnswer: false, records), from: peers[0], by: .frame)
        }
        #expect(rig.machine.members.count == MembershipLimits.members)
        let alarms = rig.others.filter { if case .alarm = $0 { true } else { false } }
        #expect(alarms.count == 1)
        #expect(rig.sent.allSatisfy { $0.way == .frame || $0.bytes.count <= MembershipLimits.datagramBytes })
    }

    @Test func aStateBeyondOneFrameGoesInPages() {
        var rig = Rig(Array(peers.prefix(1)))
        for hundred in 0..<30 {
            let records = (0..<100).map { number in
                var record = peers[1].record()
                record.node = NodeID(high: UInt64(hundred * 100 + number + 10), low: 1)
                record.profile?.name = String(repeating: "n", count: 64)
                return record
            }
            rig.hear(.state(sequence: 1, isLast: true, wantsAnswer: false, records), from: peers[0], by: .frame)
        }
        rig.forgetSent()
        rig.hear(.sync(sequence: 77, digest: 1), from: peers[0], by: .frame)
        let pages = rig.messages(.frame)
        #expect(pages.count > 1)
        #expect(rig.sent.filter { $0.way == .frame }.allSatisfy { $0.bytes.count <= MembershipLimits.frameBytes })
        #expect(pages.reduce(0) { $0 + $1.records.count } == 3002)
        let last = pages.map { if case .state(77, let isLast, true, _) = $0 { isLast } else { false } }
        #expect(last == Array(repeating: false, count: pages.count - 1) + [true])
        rig.forgetSent()
        rig.hear(.sync(sequence: 78, digest: rig.machine.digest), from: peers[0], by: .frame)
        #expect(rig.messages(.frame) == [.same(sequence: 78)])
    }

    @Test func fieldsOfANewerVersionAreCarriedOn() {
        var rig = Rig(peers)
        var record = Peer(40).record()
        record.profile?.extra = [1, 2, 3]
        rig.hear(.rumours([record]), from: peers[0])
        rig.forgetSent()
        rig.hear(.sync(sequence: 1, digest: 0), from: peers[0], by: .frame)
        let carried = rig.messages(.frame).flatMap(\.records).first { $0.node == record.node }
        #expect(carried?.profile?.extra == [1, 2, 3])
    }

    private func permutations(_ items: [Int]) -> [[Int]] {
        guard let first = items.first else { return [[]] }
        return permutations(Array(items.dropFirst())).flatMap { rest in
            (0...rest.count).map { Array(rest[..<$0]) + [first] + Array(rest[$0...]) }
        }
    }
}
