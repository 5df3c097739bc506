import Environment
import Model
import Testing

@testable import Membership

@Suite struct SuspicionTests {
    let peers = (1...6).map { Peer(UInt64($0)) }

    @Test(arguments: [(2, 0, 8.0), (3, 0, 8), (4, 2, 24), (10, 2, 24), (64, 2, 43.348), (1000, 2, 72)])
    func theTimeToContradictGrowsWithTheMembers(members: Int, confirmations: Int, most: Double) {
        let scale = Scale(members: members, settings: .init())
        #expect(scale.confirmations == confirmations)
        #expect(scale.suspicionTimes.count == confirmations + 1)
        let milliseconds = Double(scale.suspicionTimes[0].nanoseconds) / 1e6
        #expect(abs(milliseconds - most * 1000) < 2)
        guard confirmations == 2 else { return }
        let least = Double(scale.suspicionTimes[2].nanoseconds) / 1e6
        #expect(abs(least * 6 - milliseconds) < 10)
        // log 2 / log 3 of the way with the first of two.
        let middle = Double(scale.suspicionTimes[1].nanoseconds) / 1e6
        #expect(abs(middle - (milliseconds - 0.63093 * (milliseconds - least))) < 2)
    }

    @Test func thisGatewayCountsAmongTheMembers() {
        let rig = Rig(Array(peers[..<3]))
        #expect(rig.machine.scale == Scale(members: 4, settings: .init()))
    }

    @Test func logarithmsAreRight() {
        #expect(logarithm2(1) == 0)
        #expect(logarithm2(1024) == 10)
        #expect(abs(logarithm2(10) - 3.321_928_094_9) < 1e-8)
    }

    /// Acks every probe of a member other than the accused, so that only the given accusers count.
    private func secondsToDeath(accusers: [Peer]) -> Double? {
        var settings = MembershipSettings()
        settings.probeInterval = .seconds(3600)
        settings.pushPullInterval = .seconds(3600)
        var rig = Rig(peers, settings: settings)
        rig.machine.nextProbeAt = .never
        let began = rig.now
        for accuser in accusers { rig.hear(.rumours([peers[5].record(.suspect, by: accuser)]), from: accuser) }
        for _ in 0..<400 {
            rig.pass(.milliseconds(100))
            if rig.machine.member(peers[5].node)?.state == .dead {
                return Double(began.duration(to: rig.now).nanoseconds) / 1e9
            }
        }
        return nil
    }

    @Test func everyIndependentAccuserShortensTheTime() throws {
        let alone = try #require(secondsToDeath(accusers: [peers[0]]))
        let same = try #require(secondsToDeath(accusers: [peers[0], peers[0], peers[0]]))
        let two = try #require(secondsToDeath(accusers: [peers[0], peers[1]]))
        let three = try #require(secondsToDeath(accusers: [peers[0], peers[1], peers[2]]))
        let four = try #require(secondsToDeath(accusers: [peers[0], peers[1], peers[2], peers[3]]))
        #expect(abs(alone - 24) < 0.2)
        #expect(same == alone)
        #expect(abs(two - 11.4) < 0.2)
        #expect(abs(three - 4) < 0.2)
        #expect(four == three)
    }

    @Test func aDeathIsCountedOnceAndWhoLeftDidNotDie() {
        var rig = Rig(peers)
        rig.hear(.rumours([peers[1].record(.dead)]), from: peers[0])
        #expect(rig.machine.counts.deaths == 1)
        rig.hear(.rumours([peers[1].record(.dead, 2), peers[2].record(.left)]), from: peers[0])
        #expect(rig.machine.counts.deaths == 1)
        rig.hear(.rumours([peers[1].record(.suspect, 3, by: peers[0])]), from: peers[0])
        rig.hear(.rumours([peers[1].record(.dead, 3)]), from: peers[0])
        #expect(rig.machine.counts.deaths == 2)
    }

    @Test func aContradictionEndsTheSuspicion() {
        var rig = Rig(peers)
        rig.hear(.rumours([peers[5].record(.suspect, by: peers[0])]), from: peers[0])
        #expect(rig.machine.suspicions.count == 1)
        rig.hear(.rumours([peers[5].record(.alive, 2)]), from: peers[0])
        #expect(rig.machine.suspicions.isEmpty)
        #expect(rig.changes.map(\.state) == [.suspect, .alive])
    }

    /// Three machines, one accusation; in each of five steps any message arrives or is lost, or time passes.
    @Test func inEveryInterleavingOnlyTheSubjectRaisesItsIncarnationAndAllAgreeInTheEnd() {
        var explorer = Explorer()
        explorer.explore()
        #expect(explorer.ends > 1000)
        #expect(explorer.faults == [])
    }
}

/// All interleavings of a small scenario: machines are values, so that every branch has its own.
private struct Explorer {
    struct World {
        var machines: [Membership]
        var random = SeededRandom(seed: 3)
        var flying: [(bytes: [UInt8], from: Int, to: Int)] = []
        var now = MonotonicInstant(nanoseconds: 50_000_000_000)
    }

    static let depth = 5
    /// At most this many of what flies are candidates for the next step; the others come later.
    static let width = 3
    var ends = 0
    var faults: [String] = []

    mutating func explore() {
        var world = World(machines: [])
        let now = world.now
        for index in 0..<3 {
            var machine = Membership(
                identity: MemberIdentity(
                    node: Cluster.node(index), start: StartID(UInt64(index + 1)), name: "m",
                    version: ProtocolVersion(major: 1, minor: 0), features: 0),
                address: Cluster.address(index), incarnation: Incarnation(0), seeds: [])
            _ = machine.step(.started, now: now, using: &world.random)
            world.machines.append(machine)
        }
        let records = world.machines.map { $0.ownRecord(now) }
        for index in 0..<3 {
            let other = (index + 1) % 3
            let hello = Envelope(
                sender: Cluster.node(other), start: StartID(UInt64(other + 1)), recipient: nil,
                message: .rumours(records))
            _ = world.machines[index].step(
                .datagram(hello.bytes, from: Cluster.address(other)), now: now, using: &world.random)
            world.machines[index].rumours.removeAll()
        }
        // The first accuses the third, as if its probe had failed; the second hears of it, and the third too.
        var accusation = records[2]
        accusation.state = .suspect
        accusation.accuser = Cluster.node(0)
        for to in [1, 2] {
            let message = Envelope(
                sender: Cluster.node(0), start: StartID(1), recipient: StartID(UInt64(to + 1)),
                message: .ping(sequence: 1, passenger: [], [accusation]))
            world.flying.append((message.bytes, 0, to))
        }
        accusation.state = .dead
        world.flying.append(
            (
                Envelope(
                    sender: Cluster.node(1), start: StartID(2), recipient: nil, message: .rumours([accusation])
                ).bytes, 1, 0
            ))
        branch(world, 0)
    }

    private mutating func branch(_ world: World, _ depth: Int) {
        check(world)
        guard depth < Self.depth, !world.flying.isEmpty else {
            settle(world)
            return
        }
        for index in world.flying.indices.prefix(Self.width) {
            var delivered = world
            deliver(index, in: &delivered)
            branch(delivered, depth + 1)
            var lost = world
            lost.flying.remove(at: index)
            branch(lost, depth + 1)
        }
        var later = world
        passTime(in: &later)
        branch(later, depth + 1)
    }

    /// Long enough for the next gossip, probe or indirect probe.
    private func passTime(in world: inout World) {
        world.now = world.now.advanced(by: .milliseconds(250))
        for index in 0..<3 {
            let directives = world.machines[index].step(.tick, now: world.now, using: &world.random)
            fly(directives, from: index, in: &world)
        }
    }

    private func deliver(_ index: Int, in world: inout World) {
        let message = world.flying.remove(at: index)
        let directives = world.machines[message.to].step(
            .datagram(message.bytes, from: Cluster.address(message.from)), now: world.now, using: &world.random)
        fly(directives, from: message.to, in: &world)
    }

    private func fly(_ directives: [MembershipDirective], from: Int, in world: inout World) {
        for directive in directives {
            guard case .datagram(let bytes, let to) = directive,
                let index = (0..<3).first(where: { Cluster.address($0) == to })
            else { continue }
            world.flying.append((bytes, from, index))
        }
    }

    private mutating func check(_ world: World) {
        let truth = world.machines.map(\.incarnation)
        if truth[0] != Incarnation(1) || truth[1] != Incarnation(1) { faults.append("a bystander raised its own") }
        for observer in 0..<3 {
            for subject in 0..<3 where subject != observer {
                let seen = world.machines[observer].member(Cluster.node(subject))
                if let seen, seen.incarnation > truth[subject] { faults.append("\(observer) raised \(subject)'s") }
            }
        }
    }

    /// Lets all that flies arrive, then time pass without loss: everybody must hold everybody for alive.
    private mutating func settle(_ world: World) {
        ends += 1
        var world = world
        for _ in 0..<60 {
            while !world.flying.isEmpty { deliver(0, in: &world) }
            if isAgreed(world) { return }
            passTime(in: &world)
        }
        faults.append("no agreement")
    }

    private func isAgreed(_ world: World) -> Bool {
        (0..<3).allSatisfy { observer in
            (0..<3).allSatisfy { subject in
                let seen = world.machines[observer].member(Cluster.node(subject))
                return subject == observer
                    || seen?.state == .alive && seen?.incarnation == world.machines[subject].incarnation
            }
        }
    }
}
