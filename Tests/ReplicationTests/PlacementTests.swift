import Environment
import Model
import Testing

@testable import Replication

@Suite("The order of gateways that hold a log")
struct PlacementTests {
    private let nodes = (0..<40).map(gateway)

    @Test("is the one that every version draws")
    func golden() {
        #expect(rendezvous(1, 2, node: gateway(3)) == 10_970_678_449_802_480_889)
        #expect(Placement.rank((0..<6).map(gateway), of: log(of: 4)) == [4, 3, 5, 2, 0, 1].map(gateway))
    }

    @Test("begins with the log's own gateway and does not depend on the order of the question")
    func ownFirst() {
        for number in 0..<40 {
            let rank = Placement.rank(nodes, of: log(of: number))
            #expect(rank.first == gateway(number))
            #expect(rank == Placement.rank(nodes.reversed(), of: log(of: number)))
            #expect(Set(rank) == Set(nodes))
        }
    }

    @Test("moves nobody else's place where a gateway joins or leaves")
    func minimalMoves() {
        for number in 0..<40 {
            for gone in [3, 17, 39] where gone != number {
                let before = Placement.rank(nodes, of: log(of: number))
                let after = Placement.rank(nodes.filter { $0 != gateway(gone) }, of: log(of: number))
                #expect(after == before.filter { $0 != gateway(gone) })
            }
        }
    }

    @Test("spreads copies evenly")
    func balance() {
        var held: [NodeID: Int] = [:]
        for number in 0..<40 {
            for life in 0..<50 {
                for holder in Placement.rank(nodes, of: log(of: number, life)).prefix(3) {
                    held[holder, default: 0] += 1
                }
            }
        }
        // 150 on average, 50 of them own; the others vary as drawn lots do.
        #expect(nodes.allSatisfy { (110...190).contains(held[$0] ?? 0) })
    }

    @Test("is the one that all live gateways weigh, whoever goes and comes before")
    func stepwise() {
        var rig = Rig(peers: 19)
        let logs = (1...19).map { log(of: $0) }
        for (number, log) in logs.enumerated() { rig.send(.claim(of: gateway(number + 1), log, claim(0..<10))) }
        var random = SeededRandom(seed: 5)
        var isAway = [Bool](repeating: false, count: 20)
        for _ in 0..<200 {
            for _ in 0...Int.random(in: 0...2, using: &random) {
                isAway[Int.random(in: 1...19, using: &random)].toggle()
            }
            let alive = (1...19).filter { !isAway[$0] }.map(gateway)
            rig.send(.members(alive: alive, known: (1...19).map(gateway)))
            for log in logs {
                let expected = Placement.rank(alive + [gateway(0)], of: log).prefix(3)
                #expect(Set(rig.replicator.logs[log]?.targets ?? []) == Set(expected))
            }
        }
    }

    @Test("is cut to the first live ones: all of five, three of more, all where fewer live")
    func effectiveCopies() {
        var rig = Rig(peers: 4)
        #expect(rig.replicator.placement(of: log(of: 2)).count == 5)
        rig.send(.members(alive: (1...9).map(gateway), known: (1...9).map(gateway)))
        let all = Placement.rank((0...9).map(gateway), of: log(of: 2))
        #expect(rig.replicator.placement(of: log(of: 2)) == Array(all.prefix(3)))
        // The second is dead: the next takes its place, until it returns.
        let alive = (1...9).map(gateway).filter { $0 != all[1] }
        rig.send(.members(alive: alive, known: (1...9).map(gateway)))
        #expect(rig.replicator.placement(of: log(of: 2)) == [all[0], all[2], all[3]])
        rig.send(.members(alive: [gateway(7)], known: (1...9).map(gateway)))
        #expect(Set(rig.replicator.placement(of: log(of: 2))) == [gateway(0), gateway(7)])
    }
}
