import Membership
package import Model
import Replication
import RingLog

/// Whose readings a ring holds, for faces that tell it beside each of them.
package struct LogOwners: Sendable {
    package struct Owner: Hashable, Sendable {
        package let node: NodeID
        /// The gateway's name; empty where nobody here knows it any more.
        package let name: String

        package init(node: NodeID, name: String) {
            self.node = node
            self.name = name
        }
    }

    /// Of every log that is not named in `others`.
    package let own: Owner
    private let others: [LogID: Owner]
    private let members: [Owner]

    init(own: Owner, others: [LogID: Owner], members: [Owner]) {
        self.own = own
        self.others = others
        self.members = members
    }

    /// By the id of the gateway, whose readings may be elsewhere.
    package subscript(_ node: NodeID) -> Owner {
        if node == own.node { return own }
        return members.first { $0.node == node } ?? Owner(node: node, name: "")
    }

    /// This gateway and all others that are known.
    package var all: [Owner] { [own] + members }

    package subscript(_ log: LogID) -> Owner { others[log] ?? own }
}

extension GatewayCore {
    /// The owners of all logs that this ring holds. What was written here under a former node id keeps that id.
    ///
    /// - Parameters:
    ///   - node: The id of this gateway, where it is in no covey.
    ///   - name: Its name.
    package func owners(node: NodeID, name: String) -> LogOwners {
        let own = LogOwners.Owner(node: cluster?.node ?? node, name: name)
        var others: [LogID: LogOwners.Owner] = [:]
        for log in ring.logs.map(\.log) {
            if let former = formerNodes[log] { others[log] = LogOwners.Owner(node: former, name: name) }
        }
        for copy in ring.copies {
            // A copy that damage left without a name is nobody's, least of all this gateway's.
            guard let owner = copy.node else {
                others[copy.log] = LogOwners.Owner(node: NodeID(high: 0, low: 0), name: "")
                continue
            }
            if owner == own.node { continue }
            let known = cluster?.membership.member(owner)?.identity.name
            let former = formerNodes.values.contains(owner) ? name : ""
            others[copy.log] = LogOwners.Owner(node: owner, name: known ?? former)
        }
        let members = (cluster?.membership.members ?? []).map {
            LogOwners.Owner(node: $0.identity.node, name: $0.identity.name)
        }
        return LogOwners(own: own, others: others, members: members)
    }

    /// Takes a reading of another gateway's into the table of the newest.
    mutating func noteCopy(_ stored: StoredReading, of owner: NodeID) {
        copiedLatest.noteCopy(stored, of: owner, clock: ring.clock)
    }

    /// Readings on this disk that the covey would miss without it: no required sink that lacks them could get them from enough others.
    package var heldHereAlone: UInt64 {
        guard let cluster else { return 0 }
        return cluster.replicator.heldHereAlone { cluster.duty.settledRanges($0) ?? OffsetRanges() }
    }
}
