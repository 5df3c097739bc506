import Environment
import GatewayCore
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
        if scenario.replicas < gateways.count { setup.replication.copies = .number(scenario.replicas) }
        return setup
    }

    /// All know the first gateway, and each its neighbour: enough to find everybody.
    private func seeds(_ gateway: SimulatedGateway) -> [PeerAddress] {
        let others = [0, (gateway.index + 1) % gateways.count].filter { $0 != gateway.index }
        return others.map { Self.address(of: $0) }
    }

    /// What a gateway holds of others' logs, as far as it has changed since the last look.
    func noteCopies(_ gateway: SimulatedGateway) {
        guard gateways.count > 1, let ring = gateway.core?.ring else { return }
        for copy in ring.copies {
            let before = gateway.copies[copy.log] ?? []
            guard before != copy.ranges, let book = truth.book(copy.log) else { continue }
            gateway.copies[copy.log] = copy.ranges
            for range in copy.ranges where !before.contains(range) {
                for offset in range.lowerBound.rawValue..<range.upperBound.rawValue where book.fate(offset) != nil {
                    book.fates[Int(offset)]?.disks |= gateway.bit
                }
            }
            for range in before where !copy.ranges.contains(range) {
                for offset in range.lowerBound.rawValue..<range.upperBound.rawValue
                where !copy.ranges.contains(where: { $0.contains(Offset(offset)) }) && book.fate(offset) != nil {
                    book.fates[Int(offset)]?.disks &= ~gateway.bit
                }
            }
        }
    }
}
