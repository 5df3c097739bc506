import Environment
import Model
import Testing

@testable import Replication

@Suite("A covey of replicators")
struct ConvergenceTests {
    /// Appends at random sites for a while.
    private func write(_ network: inout ModelNetwork, seconds: Int, rate: Int = 20) {
        for _ in 0..<seconds {
            for site in network.sites.indices {
                network.append(Int.random(in: 1...rate, using: &network.random), at: site)
            }
            network.run(.seconds(1))
        }
    }

    /// What live sites hold of the log and is not settled, by how many of them hold it.
    private func pieces(of log: LogName, _ network: ModelNetwork) -> [CoveredRange] {
        let sets = network.sites.filter(\.isUp).compactMap { $0.durable[log] }
        var union = sets.reduce(into: OffsetRanges()) { $0.formUnion($1) }
        union.remove(below: network.settled[log] ?? .zero)
        return coverage(of: union, by: sets)
    }

    /// Every reading that a live site has is on as many live sites as should hold it.
    private func expectConverged(_ network: ModelNetwork, _ seed: UInt64) {
        #expect(network.faults.isEmpty, "seed \(seed)")
        let live = network.sites.count { $0.isUp }
        let known = network.sites.count
        let copies = min(known <= 5 ? known : 3, live)
        for log in network.allLogs {
            for piece in pieces(of: log, network) {
                #expect(piece.holders >= copies, "seed \(seed), log \(log), \(piece)")
            }
        }
        for site in network.sites where site.isUp {
            #expect(site.replicator.underReplicated == UnderReplication(), "seed \(seed)")
        }
    }

    @Test("brings every reading to all of five, fresh ones within two seconds, and none twice", arguments: 1...3)
    func five(seed: UInt64) {
        var network = ModelNetwork(5, seed: seed)
        write(&network, seconds: 20)
        let end = network.now
        network.run(.seconds(2))
        for (log, commits) in network.commits {
            #expect(pieces(of: log, network) == [CoveredRange(range: .zero..<commits.last!.end, holders: 5)])
            #expect(commits.last!.at < end)
        }
        expectConverged(network, seed)
        #expect(network.doubles == 0)
    }

    @Test("brings fresh readings to all of them while it back-fills")
    func freshDuringBackfill() {
        let settings = ReplicatorSettings(backfillBytesPerSecond: 1024)
        var network = ModelNetwork(3, seed: 5, settings: settings)
        network.padding = 16_000
        network.stop(2)
        network.tellMembers()
        write(&network, seconds: 60, rate: 400)
        network.start(2, settings)
        network.tellMembers()
        network.run(.seconds(5))
        for _ in 0..<20 {
            network.append(5, at: 0)
            let log = network.sites[0].open!
            let end = network.sites[0].durable[log]!.end
            network.run(.seconds(2))
            #expect(network.sites[2].durable[log]!.contains(end.rawValue == 0 ? end : Offset(end.rawValue - 1)))
            #expect(
                network.sites[0].replicator.replicatedEnd(of: log, copies: 3, from: Offset(end.rawValue - 5)) == end)
        }
        // Of what came before, some is still to come.
        #expect(network.sites[0].replicator.underReplicated.readings > 0)
    }

    @Test("converges after loss, doubles, disorder, cuts, restarts and lost disks", arguments: 1...12)
    func storms(seed: UInt64) {
        let count = [2, 3, 5, 7, 9][Int(seed) % 5]
        let settings = ReplicatorSettings()
        var network = ModelNetwork(count, seed: seed, settings: settings)
        network.loss = 20
        network.doubling = 20
        network.refusals = 3
        network.slowestMilliseconds = 400
        for _ in 0..<12 {
            let site = Int.random(in: 0..<count, using: &network.random)
            let other = Int.random(in: 0..<count, using: &network.random)
            switch Int.random(in: 0..<7, using: &network.random) {
            case 0: network.stop(site)
            case 1 where count > 2: network.stop(site, losingDisk: true)
            case 2 where site != other: network.cut.insert([min(site, other), max(site, other)])
            case 3: network.cut = []
            case 5: network.damage(site)
            case 4: if let log = network.allLogs.randomElement(using: &network.random) { settleSome(&network, log) }
            default: for site in network.sites.indices where !network.sites[site].isUp { network.start(site, settings) }
            }
            network.tellMembers()
            write(&network, seconds: 4, rate: 100)
        }
        for site in network.sites.indices where !network.sites[site].isUp { network.start(site, settings) }
        network.cut = []
        network.loss = 0
        network.tellMembers()
        network.run(.seconds(120))
        expectConverged(network, seed)
    }

    private func settleSome(_ network: inout ModelNetwork, _ log: LogName) {
        let end = network.commits[log]!.last!.end
        let old = network.settled[log] ?? .zero
        network.settle(log, Offset(UInt64.random(in: old.rawValue...end.rawValue, using: &network.random)))
    }

    @Test("gives up surplus once the targets keep it, and then asks for nothing more")
    func surplus() {
        var network = ModelNetwork(9, seed: 3)
        write(&network, seconds: 5)
        // Others step in for two that are cut off, and step back.
        network.cut = Set((2..<9).flatMap { [[0, $0], [1, $0]] })
        network.tellMembers()
        network.run(.seconds(60))
        #expect(network.allLogs.contains { log in pieces(of: log, network).contains { $0.holders > 3 } })
        network.cut = []
        network.tellMembers()
        network.run(.seconds(60))
        expectConverged(network, 3)
        for log in network.allLogs {
            #expect(pieces(of: log, network).allSatisfy { $0.holders == 3 })
        }
        let chunks = network.sites.map(\.replicator.counts.fetchedChunks)
        network.run(.seconds(60))
        #expect(network.sites.map(\.replicator.counts.fetchedChunks) == chunks)
        #expect(network.queue.allSatisfy { if case .commit = $0.message { true } else { false } })
    }

    @Test("asks for nothing where the ring has no room")
    func noRoom() {
        var network = ModelNetwork(3, seed: 4)
        network.send(.paused(true), to: 2)
        network.sites[2].hasRoom = false
        write(&network, seconds: 10)
        #expect(network.sites[2].replicator.counts.fetchedChunks == 0)
        network.sites[2].hasRoom = true
        network.send(.paused(false), to: 2)
        network.run(.seconds(10))
        expectConverged(network, 4)
    }
}
