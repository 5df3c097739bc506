import Environment
import GossipState
import Membership
package import Model

/// What of the covey concerns brokers that several gateways read: who is there, and what they say that they read.
package struct BrokerView: Hashable, Sendable {
    /// This gateway.
    package let own: NodeID
    /// Others that are alive or suspect, ascending.
    package let present: [NodeID]
    /// Names of the other gateways that are known, ascending.
    package let names: [String]
    /// What others say, ascending by broker, node and page.
    package let entries: [Entry]

    package struct Entry: Hashable, Sendable {
        package let broker: UInt64
        package let node: NodeID
        package let page: [UInt8]
    }
}

/// News of such brokers.
package enum BrokerNews: Sendable {
    case view(BrokerView)
    /// From a present member.
    case message([UInt8], from: NodeID)
    /// Messages to that member may have been lost.
    case lost(NodeID)
}

// The covey carries what gateways say about brokers, and does not read it.
extension GatewayCore {
    /// Says what this gateway reads of a broker, in parts that fit the gossiped state; nothing: that it does not read it.
    mutating func serve(
        _ broker: UInt64, _ pages: [[UInt8]], now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard cluster != nil else { return }
        let before = servedPages.first { $0.broker == broker }?.pages.count ?? 0
        servedPages.removeAll { $0.broker == broker }
        if !pages.isEmpty { servedPages.append((broker, pages)) }
        for (number, page) in pages.enumerated() {
            publish(page, as: Self.name(broker, number), now: now, &directives)
        }
        for number in pages.count..<max(before, pages.count) {
            withdraw(Self.name(broker, number), now: now, &directives)
        }
    }

    /// In a state that is made anew, as after this gateway got another address.
    mutating func serveAgain(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        for (broker, pages) in servedPages { serve(broker, pages, now: now, &directives) }
    }

    /// 8 bytes of the broker, and one of the page.
    private static func name(_ broker: UInt64, _ page: Int) -> StateName {
        var key: [UInt8] = []
        key.append(fixed: broker)
        key.append(UInt8(truncatingIfNeeded: page))
        return StateName(ClusterSpace.brokers, key)
    }

    mutating func tellBrokers(_ directives: inout [GatewayDirective]) {
        if let view = brokerView { directives.append(.brokers(.view(view))) }
    }

    mutating func sayOfBroker(_ payload: [UInt8], to node: NodeID, _ directives: inout [GatewayDirective]) {
        guard let cluster, let peer = cluster.address(of: node) else { return }
        directives.append(.frame(Envelope.seal(.brokers, from: cluster.sender, payload), to: peer))
    }

    /// `nil` for a gateway alone.
    package var brokerView: BrokerView? {
        guard let cluster else { return nil }
        var entries: [BrokerView.Entry] = []
        for entry in cluster.gossip.ownEntries(ClusterSpace.brokers) where entry.node != cluster.node {
            var reader = ByteReader(entry.key, 0..<entry.key.count)
            guard entry.key.count == 9, let broker = try? reader.fixed(UInt64.self) else { continue }
            entries.append(BrokerView.Entry(broker: broker, node: entry.node, page: entry.value))
        }
        return BrokerView(
            own: cluster.node, present: cluster.alive.filter { $0 != cluster.node },
            names: cluster.membership.members.map(\.identity.name).sorted(), entries: entries)
    }
}
