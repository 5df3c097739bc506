import Environment
import GatewayCore
import LogFormat
import Membership
import Model
import Replication
import RingLog

extension World {
    /// What a starting gateway is told of its covey; `nil` where it is alone.
    func clusterSetup(_ gateway: SimulatedGateway, on ring: RingLog) -> ClusterSetup? {
        guard gateways.count > 1 else { return nil }
        // A ring remembers whose it is; a blank one takes the configured id, and without one a new gateway is born.
        let node = GatewayCore.keptNode(in: ring) ?? gateway.configuredNode ?? NodeID(using: &streams.cores)
        var setup = ClusterSetup(
            node: node, name: "g\(gateway.index)", address: Self.address(of: gateway.index), seeds: seeds(gateway),
            sinks: sinks.indices.map { SinkID(UInt64($0) + 1) })
        setup.acks = scenario.acks
        setup.duty.chunkReadings = scenario.chunkReadings
        setup.replication.pieceReadings = scenario.pieceReadings
        if scenario.replicas < gateways.count { setup.replication.copies = .number(scenario.replicas) }
        return setup
    }

    /// All know the first gateway, and each its neighbour: enough to find everybody.
    private func seeds(_ gateway: SimulatedGateway) -> [PeerAddress] {
        let others = [0, (gateway.index + 1) % gateways.count].filter { $0 != gateway.index }
        return others.map { Self.address(of: $0) }
    }

    /// What a gateway's ring holds, as far as it has changed since the last look.
    func noteHoldings(_ gateway: SimulatedGateway) {
        guard gateways.count > 1, let ring = gateway.core?.ring else { return }
        for log in ring.logIDs + ring.copies.map(\.log) {
            let ranges = OffsetRanges(ring.ranges(of: log))
            let before = gateway.holdings[log] ?? OffsetRanges()
            guard before != ranges, let book = truth.book(log) else { continue }
            var noted = before.intersection(ranges)
            for range in ranges.subtracting(before).ranges {
                for offset in range.lowerBound.rawValue..<range.upperBound.rawValue {
                    // Copies may be here before their own gateway has told its source: those are looked at again.
                    guard book.fate(offset) != nil else { continue }
                    book.fates[Int(offset)]?.disks |= gateway.bit
                    noted.insert(Offset(offset)..<Offset(offset + 1))
                }
            }
            gateway.holdings[log] = noted
            for range in before.subtracting(ranges).ranges {
                for offset in range.lowerBound.rawValue..<range.upperBound.rawValue {
                    leave(book, offset, gateway, ring)
                }
            }
        }
    }

    /// How many disks should hold each log, as far as the gateway can know: by default all of five gateways and three of more, and one that
    /// came back under a new id from a lost disk is one more.
    func copiesWanted(by gateway: SimulatedGateway) -> Int {
        guard scenario.replicas == gateways.count, let cluster = gateway.core?.cluster else { return scenario.replicas }
        let known = cluster.membership.members.count { $0.state != .left } + 1
        return min(ReplicatorSettings.Copies.automatic.count(of: known), gateways.count)
    }

    /// A reading is no longer on a disk: it is uploaded, counted, or surplus.
    private func leave(_ book: LogBook, _ offset: UInt64, _ gateway: SimulatedGateway, _ ring: RingLog) {
        guard let fate = book.fate(offset) else { return }
        book.fates[Int(offset)]?.disks &= ~gateway.bit
        if fate.sinks & judges == judges || fate.flags.contains(.poison) { return }
        let gaps = ring.copiedLog(book.log)?.lost ?? ring.gaps(of: book.log)
        if let gap = gaps.first(where: { $0.range.contains(Offset(offset)) }), gap.reason != .uploaded {
            if gap.reason == .evicted { gateway.hasEvicted = true }
            return
        }
        let others = (fate.disks & ~gateway.bit).nonzeroBitCount
        if others >= min(copiesWanted(by: gateway), gateways.count - 1) || gateway.history.isDishonest { return }
        fail(.noSilentEviction, gateway, "\(book.log)/\(offset) has left the ring, on \(others) other disks")
    }
}
