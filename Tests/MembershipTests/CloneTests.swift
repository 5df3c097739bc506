import Environment
import Model
import Testing

@testable import Membership

@Suite struct CloneTests {
    let known = Peer(1)
    let witness = Peer(2)

    /// The same node in another run elsewhere.
    private var newcomer: Peer {
        var peer = known
        peer.start = StartID(31_337)
        peer.address = PeerAddress("10.9.9.9:1")!
        peer.incarnation = Incarnation(2)
        return peer
    }

    private func challenges(_ rig: Rig) -> [(nonce: UInt64, to: PeerAddress)] {
        rig.sent.compactMap { if case .challenge(let nonce, _) = $0.message { (nonce, $0.to) } else { nil } }
    }

    @Test func aNewcomerThatDoesNotProveItselfChangesNothing() {
        var rig = Rig([known, witness])
        rig.hear(.rumours([newcomer.record()]), from: newcomer)
        #expect(challenges(rig).allSatisfy { $0.to == newcomer.address })
        #expect(!challenges(rig).isEmpty)
        // A wrong nonce, another run, another node: no proofs.
        rig.hear(.proof(nonce: 1, uptime: 5), from: newcomer)
        rig.hear(.proof(nonce: challenges(rig)[0].nonce, uptime: 5), from: witness)
        #expect(rig.machine.counts.stale == 2)
        rig.hear(.proof(nonce: challenges(rig)[0].nonce, uptime: 5), from: known)
        rig.machine.nextProbeAt = .never
        rig.pass(.seconds(4))
        #expect(rig.machine.challenges.isEmpty)
        #expect(rig.changes.isEmpty)
        #expect(rig.machine.member(known.node)?.address == known.address)
        // Said again within a minute, it is not even asked.
        rig.forgetSent()
        rig.hear(.rumours([newcomer.record()]), from: newcomer)
        #expect(challenges(rig).isEmpty)
    }

    @Test func aNewcomerThatProvesItselfReplacesASilentOldOne() {
        var rig = Rig([known, witness])
        rig.hear(.rumours([newcomer.record()]), from: newcomer)
        rig.hear(.proof(nonce: challenges(rig)[0].nonce, uptime: 5), from: newcomer)
        #expect(challenges(rig).last?.to == known.address)
        rig.machine.nextProbeAt = .never
        rig.pass(.seconds(4))
        #expect(rig.machine.member(known.node)?.address == newcomer.address)
        #expect(rig.changes.map(\.identity.start) == [newcomer.start])
        #expect(!rig.others.contains { if case .alarm = $0 { true } else { false } })
    }

    @Test(arguments: [(60_000, true), (7_200_000, false)])
    func ofTwoThatProveThemselvesTheYoungerIsDismissed(uptime: Int, newcomerIsYounger: Bool) throws {
        var rig = Rig([known, witness])
        rig.hear(.rumours([newcomer.record()]), from: newcomer)
        rig.hear(.proof(nonce: challenges(rig)[0].nonce, uptime: UInt64(uptime)), from: newcomer)
        let nonces = challenges(rig)
        rig.hear(.proof(nonce: try #require(nonces.last).nonce, uptime: 3_600_000), from: known)
        let dismissed = rig.sent.filter { if case .cloned = $0.message { true } else { false } }
        let younger = newcomerIsYounger ? newcomer : known
        let elder = newcomerIsYounger ? known : newcomer
        #expect(Set(dismissed.map(\.to)) == [younger.address])
        #expect(Set(dismissed.map(\.way)) == [.datagram, .frame])
        let nonce = newcomerIsYounger ? nonces[0].nonce : nonces[nonces.count - 1].nonce
        #expect(dismissed.allSatisfy { $0.message == .cloned(nonce: nonce, elder: elder.address) })
        #expect(rig.machine.member(known.node)?.address == elder.address)
        #expect(rig.others.contains { if case .alarm = $0 { true } else { false } })
    }

    @Test(arguments: [(5, true), (3_600_000, false)])
    func ofUsAndOneWithOurNodeIDTheYoungerIsDismissed(uptime: Int, otherIsYounger: Bool) throws {
        var rig = Rig([known, witness])
        rig.machine.nextProbeAt = .never
        rig.pass(.seconds(60))
        rig.forgetSent()
        var other = Peer(99)
        other.start = StartID(31_337)
        other.address = PeerAddress("10.9.9.9:1")!
        #expect(other.node == Rig.node)
        rig.hear(.rumours([other.record()]), from: other)
        let nonce = try #require(challenges(rig).first { $0.to == other.address }).nonce
        rig.hear(.proof(nonce: nonce, uptime: UInt64(uptime)), from: other)
        #expect(rig.others.contains { if case .alarm = $0 { true } else { false } })
        #expect(rig.others.contains(.cloned(other.address)) == !otherIsYounger)
        let dismissed = rig.sent.filter { $0.message == .cloned(nonce: nonce, elder: Rig.address) }
        #expect(dismissed.map(\.way) == (otherIsYounger ? [.datagram, .frame] : []))
        #expect(dismissed.allSatisfy { $0.to == other.address })
    }

    @Test func aRestartAtTheSameAddressIsNotChallenged() {
        var rig = Rig([known, witness])
        var restarted = newcomer
        restarted.address = known.address
        rig.hear(.rumours([restarted.record()]), from: restarted)
        #expect(challenges(rig).isEmpty)
        #expect(rig.machine.member(known.node)?.identity.start == restarted.start)
    }

    @Test func onlyWhoKnowsANonceThatWeProvedCanDismissUs() {
        var rig = Rig([known, witness])
        rig.hear(.cloned(nonce: 5, elder: known.address), from: witness)
        rig.hear(.challenge(nonce: 5, node: Rig.node), from: witness, for: StartID(1))
        rig.hear(.challenge(nonce: 5, node: known.node), from: witness)
        rig.hear(.cloned(nonce: 5, elder: known.address), from: witness)
        #expect(rig.others.isEmpty)
        #expect(rig.machine.counts.stale == 4)
        #expect(!rig.sent.contains { if case .proof = $0.message { true } else { false } })
        rig.hear(.challenge(nonce: 5, node: Rig.node), from: witness)
        #expect(rig.sent.contains { if case .proof(5, _) = $0.message { true } else { false } })
        rig.hear(.cloned(nonce: 5, elder: known.address), from: witness)
        #expect(rig.others.contains(.cloned(known.address)))
        rig.forgetSent()
        rig.hear(.ping(sequence: 1, passenger: [], []), from: witness)
        #expect(rig.sent.isEmpty)
    }

    /// Everything that was ever sent to one member is sent to it once more, later, in another order.
    @Test func replayedPacketsChangeNothing() {
        var cluster = Cluster(seed: 50)
        cluster.recordedFor = 1
        cluster.addMany(6)
        cluster.run(seconds: 10)
        cluster.crash(4)
        cluster.run(seconds: 20)
        cluster.restart(4, seeds: [Cluster.address(0)])
        cluster.run(seconds: 5)
        cluster.restart(5, at: PeerAddress("10.0.9.9:8472")!, seeds: [Cluster.address(0)])
        cluster.run(seconds: 30)
        cluster.recordedFor = nil
        #expect(cluster.isWhole)
        let before = cluster.nodes[1].machine
        var packets = cluster.recorded
        packets.shuffle(using: &cluster.random)
        #expect(packets.count > 150)
        for packet in packets { cluster.step(1, packet) }
        let after = cluster.nodes[1].machine
        #expect(after.members == before.members)
        #expect(after.incarnation == before.incarnation)
        #expect(after.digest == before.digest)
        #expect(after.rumours.isEmpty)
        cluster.run(seconds: 30)
        #expect(cluster.isWhole)
        #expect(cluster.nodes[1].machine.incarnation == before.incarnation)
        #expect(cluster.alarms.isEmpty)
    }
}
