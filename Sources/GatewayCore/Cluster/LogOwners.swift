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

    init(own: Owner, others: [LogID: Owner]) {
        self.own = own
        self.others = others
    }

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
        return LogOwners(own: own, others: others)
    }

    /// Takes a reading of another gateway's into the table of the newest.
    mutating func noteCopy(_ stored: StoredReading, of owner: NodeID) {
        copiedLatest.noteCopy(stored, of: owner, clock: ring.clock)
    }

    /// What a person should know of an answer that is made from this disk alone: nothing where all that the covey has is here, or is on
    /// its way here.
    package var partialNote: String? {
        guard let cluster else { return nil }
        let elsewhere = cluster.replicator.heldElsewhere
        guard elsewhere.readings > 0 else { return nil }
        let holders = elsewhere.holders.prefix(8).map { node in
            guard let member = cluster.membership.member(node) else { return "\(node)" }
            let name = member.identity.name.isEmpty ? "\(node)" : member.identity.name
            return member.state.isPresent ? name : "\(name) (gone)"
        }
        let more = elsewhere.holders.count > 8 ? " and \(elsewhere.holders.count - 8) more" : ""
        return "the answer may be partial: \(elsewhere.readings) readings of the covey are not on this disk; "
            + "they are held by " + holders.joined(separator: ", ") + more
    }
}
