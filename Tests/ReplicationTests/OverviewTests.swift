import Environment
import Model
import Replication
import Testing

@Suite("What a gateway knows of all copies")
struct OverviewTests {
    private let mine = log(of: 0)
    private let theirs = log(of: 1)

    @Test("tells up to where enough live gateways hold everything")
    func replicatedEnd() {
        var rig = Rig(peers: 3)
        rig.send(.opened(mine))
        rig.send(.held(mine, offsets(0..<100)))
        rig.send(.claim(of: gateway(1), mine, claim(0..<80)))
        rig.send(.claim(of: gateway(2), mine, claim(0..<30, 60..<90)))
        let replicator = rig.replicator
        #expect((1...4).map { replicator.replicatedEnd(of: mine, copies: $0).rawValue } == [100, 80, 30, 0])
        #expect(replicator.replicatedEnd(of: mine, copies: 3, from: Offset(60)) == Offset(80))
        #expect(replicator.replicatedEnd(of: mine, copies: 3, from: Offset(40)) == Offset(40))
        #expect(replicator.holders(of: mine, at: Offset(50)) == [gateway(0), gateway(1)])
        #expect(replicator.liveCopies(of: mine, offsets(65..<75)) == 3)
    }

    @Test("names as keepers those that should hold a log and those that do, without itself")
    func keepers() {
        var rig = Rig(peers: 5)
        rig.send(.opened(mine))
        rig.send(.held(mine, offsets(0..<100)))
        let placed = rig.replicator.placement(of: mine)
        let others = (1...5).map { gateway($0) }
        #expect(rig.replicator.keepers(of: mine) == placed.filter { $0 != gateway(0) })
        for other in others { rig.send(.claim(of: other, mine, claim(0..<10))) }
        #expect(rig.replicator.keepers(of: mine).sorted() == others.sorted())
    }

    @Test("counts the dead neither as copies nor as needed")
    func deadDoNotCount() {
        var rig = Rig(peers: 2)
        rig.send(.opened(mine))
        rig.send(.held(mine, offsets(0..<100)))
        rig.send(.claim(of: gateway(1), mine, claim(0..<80)))
        #expect(rig.replicator.replicatedEnd(of: mine, copies: 2) == Offset(80))
        rig.send(.members(alive: [gateway(2)], known: [gateway(1), gateway(2)]))
        #expect(rig.replicator.replicatedEnd(of: mine, copies: 2) == .zero)
        rig.send(.members(alive: [], known: [gateway(1), gateway(2)]))
        #expect(rig.replicator.replicatedEnd(of: mine, copies: 2) == Offset(100))
        #expect(rig.replicator.liveCopies(of: mine, offsets(0..<10)) == 1)
    }

    @Test("counts what lacks a disk because a gateway is dead, and not where it is forgotten")
    func lackingGateways() {
        var rig = Rig(peers: 2)
        rig.send(.opened(mine))
        rig.send(.held(mine, offsets(0..<100)))
        for peer in 1...2 { rig.send(.claim(of: gateway(peer), mine, claim(0..<100))) }
        #expect(rig.replicator.wantedCopies == 3)
        #expect(rig.replicator.lackingGateways == UnderReplication())
        rig.send(.members(alive: [gateway(1)], known: [gateway(1), gateway(2)]))
        #expect(rig.replicator.lackingGateways == UnderReplication(logs: 1, readings: 100))
        #expect(rig.replicator.underReplicated == UnderReplication())
        rig.send(.members(alive: [gateway(1)], known: [gateway(1)]))
        #expect(rig.replicator.lackingGateways == UnderReplication())
    }

    @Test("knows what others hold that is not on this disk, and who, the dead among them")
    func elsewhere() {
        var rig = Rig(peers: 2)
        func elsewhere() -> [String] {
            rig.replicator.elsewhere.flatMap { log, holders in
                log == theirs ? holders.map { "\($0.node == gateway(1) ? 1 : 2): \($0.ranges)" } : ["of another log"]
            }
        }
        rig.send(.held(theirs, offsets(0..<100)))
        #expect(elsewhere() == [])
        rig.send(.claim(of: gateway(1), theirs, claim(0..<130)))
        rig.send(.claim(of: gateway(2), theirs, claim(90..<120)))
        #expect(elsewhere() == ["1: 100..<130", "2: 100..<120"])
        rig.send(.held(theirs, offsets(100..<120)))
        rig.send(.members(alive: [], known: [gateway(1), gateway(2)]))
        #expect(elsewhere() == ["1: 120..<130"])
        rig.send(.members(alive: [], known: []))
        #expect(elsewhere() == [])
    }

    @Test("counts what fewer live gateways hold than should")
    func underReplicated() {
        var rig = Rig(peers: 2)
        rig.send(.opened(mine))
        rig.send(.held(mine, offsets(0..<100)))
        rig.send(.claim(of: gateway(1), mine, claim(0..<80)))
        rig.send(.claim(of: gateway(2), mine, claim(0..<100)))
        #expect(rig.replicator.underReplicated == UnderReplication(logs: 1, readings: 20))
        rig.send(.settled(mine, Offset(90)))
        #expect(rig.replicator.underReplicated == UnderReplication(logs: 1, readings: 10))
        rig.send(.settled(mine, Offset(100)))
        #expect(rig.replicator.underReplicated == UnderReplication(logs: 0, readings: 0))
    }

    @Test("calls a gap only what no known gateway, alive or dead, could bring")
    func gaps() {
        var rig = Rig(peers: 2)
        rig.send(.held(theirs, offsets(0..<10)))
        rig.send(.claim(of: gateway(2), theirs, claim(20..<30, end: 60)))
        // The owner has said nothing yet, then that it lost some of it.
        #expect(rig.replicator.gaps(of: theirs).isEmpty)
        rig.send(.claim(of: gateway(1), theirs, claim(35..<50, end: 60, lost: set(0..<35))))
        #expect(rig.replicator.gaps(of: theirs) == set(10..<20, 30..<35))
        rig.send(.members(alive: [], known: [gateway(1), gateway(2)]))
        #expect(rig.replicator.gaps(of: theirs) == set(10..<20, 30..<35))
        // Closed without it.
        rig.send(.claim(of: gateway(1), theirs, claim(35..<50, end: 60, isClosed: true)))
        #expect(rig.replicator.gaps(of: theirs) == set(10..<20, 30..<35, 50..<60))
        // Not known any more, and what it held with it.
        rig.send(.members(alive: [], known: [gateway(2)]))
        #expect(rig.replicator.gaps(of: theirs) == set(10..<20, 30..<60))
        rig.send(.settled(theirs, Offset(40)))
        #expect(rig.replicator.gaps(of: theirs) == set(40..<60))
    }
}
