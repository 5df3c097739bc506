import Environment
import Model
import Testing

@testable import Membership

@Suite("Finding out whether two know the same")
struct SyncTests {
    private let peers = (1...3).map { Peer(UInt64($0)) }

    /// A machine whose planned sync has just gone out; who was asked, and by which number.
    private func asking() throws -> (rig: Rig, partner: Peer, sequence: UInt64) {
        var rig = Rig(peers)
        rig.machine.nextPushPullAt = rig.now
        rig.step(.tick)
        let sent = try #require(rig.syncs(.datagram).first)
        let partner = try #require(peers.first { $0.address == sent.to })
        guard case .sync(let sequence, rig.machine.digest) = sent.message else {
            throw MissingDigest()
        }
        return (rig, partner, sequence)
    }

    private struct MissingDigest: Error {}

    @Test("A planned question goes by datagram, and by stream once that has brought no answer")
    func streamSecond() throws {
        var (rig, partner, sequence) = try asking()
        #expect(rig.syncs(.frame).isEmpty)
        rig.pass(rig.machine.settings.probeTimeout - .milliseconds(1))
        #expect(rig.syncs(.frame).isEmpty)
        rig.pass(.milliseconds(1))
        let repeated = try #require(rig.syncs(.frame).first)
        #expect(repeated.to == partner.address)
        #expect(repeated.message == .sync(sequence: sequence, digest: rig.machine.digest))
        rig.pass(.seconds(5))
        #expect(rig.syncs(.frame).count == 1, "it is asked once more, not for ever")
    }

    @Test("A question that was answered is not asked by stream", arguments: [true, false])
    func answered(isSame: Bool) throws {
        var (rig, partner, sequence) = try asking()
        if isSame {
            rig.hear(.same(sequence: sequence), from: partner)
        } else {
            let records = [partner.record(.alive, 1)]
            rig.hear(
                .state(sequence: sequence, isLast: true, wantsAnswer: false, records), from: partner, by: .frame)
        }
        rig.pass(.seconds(2))
        #expect(rig.syncs(.frame).isEmpty)
    }

    @Test("The answer to another question is none")
    func lateAnswer() throws {
        var (rig, partner, sequence) = try asking()
        rig.hear(.same(sequence: sequence - 1), from: partner)
        rig.pass(.seconds(1))
        #expect(rig.syncs(.frame).count == 1)
    }

    @Test("Who knows the same says so the way that it was asked, and opens no stream for it")
    func sameWay() {
        var rig = Rig(peers)
        rig.hear(.sync(sequence: 5, digest: rig.machine.digest), from: peers[0], by: .datagram)
        #expect(rig.messages(.datagram) == [.same(sequence: 5)])
        #expect(rig.messages(.frame).isEmpty)
    }

    @Test("Who knows something else sends all by stream, however it was asked")
    func statesByStream() {
        var rig = Rig(peers)
        rig.hear(.sync(sequence: 5, digest: 0), from: peers[0], by: .datagram)
        #expect(rig.messages(.datagram).isEmpty)
        #expect(rig.messages(.frame).flatMap(\.records).count == peers.count + 1)
    }

    @Test("32 members at rest open no stream")
    func noStreamsAtRest() throws {
        var cluster = Cluster(seed: 3)
        cluster.addMany(32)
        _ = try #require(
            cluster.run(upTo: 120) { cluster in cluster.nodes.allSatisfy { $0.machine.presentMembers == 32 } })
        cluster.run(seconds: 60)
        let before = cluster.frameBytes
        cluster.run(seconds: 180)
        #expect(cluster.frameBytes == before)
    }

    @Test("What one member missed reaches it by a planned question, where half of all datagrams are lost")
    func missedNewsArrive() throws {
        var cluster = Cluster(seed: 4)
        cluster.addMany(8)
        _ = try #require(
            cluster.run(upTo: 60) { cluster in cluster.nodes.allSatisfy { $0.machine.presentMembers == 8 } })
        cluster.run(seconds: 60)
        // It has told nobody of what it takes for true of itself.
        cluster.nodes[7].machine.raiseUnheard()
        cluster.loss = 0.5
        let node = cluster.nodes[7].machine.identity.node
        let raised = cluster.nodes[7].machine.incarnation
        let time = cluster.run(upTo: 180) { cluster in
            cluster.nodes[..<7].allSatisfy { $0.machine.member(node)?.incarnation == raised }
        }
        #expect(time != nil)
    }
}

extension Rig {
    fileprivate func syncs(_ way: Way) -> [Sent] {
        sent.filter { sent in
            guard sent.way == way, case .sync = sent.message else { return false }
            return true
        }
    }
}

extension Membership {
    /// As a contradiction of which every rumour was lost.
    fileprivate mutating func raiseUnheard() {
        digest &-= Self.mix(identity.node, identity.start, incarnation, .alive)
        incarnation = incarnation.next
        digest &+= Self.mix(identity.node, identity.start, incarnation, .alive)
    }
}
