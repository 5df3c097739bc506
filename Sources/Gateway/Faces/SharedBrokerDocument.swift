import ControlAPI
import GatewayCore
import Membership
import Model
import SharedFeeds

/// How a gateway shares one broker with others of its covey, for people.
struct SharedBrokerDocument: Sendable {
    let status: SharedFeedStatus
    /// Names of the others that read the same now.
    let others: [String]

    init(_ status: SharedFeedStatus, core: GatewayCore) {
        self.status = status
        others = status.companions.map { core.name(of: $0) }.sorted()
    }

    /// `away`: not connected; `listens`: others take everything yet; `waits`: until others have handed over, or are found; `alone`: takes
    /// everything; `shares`: takes its share.
    var state: String {
        switch status.stage {
        case .away: "away"
        case .listens: "listens"
        case .waits: "waits"
        case .reads: others.isEmpty ? "alone" : "shares"
        }
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.member("state", state)
            json.list("others", others)
            let counts = status.counts
            let members: [(String, UInt64)] = [
                ("waiting", UInt64(status.waiting)), ("stood_by", counts.stoodBy), ("confirmed", counts.confirmed),
                ("taken_over", counts.takenOver), ("rescued", counts.rescued), ("dropped", counts.dropped),
                ("known", counts.known), ("malformed", counts.malformed),
            ]
            for (name, count) in members {
                json.key(name)
                json.integer(count)
            }
        }
    }
}

extension GatewayCore {
    /// What people call a gateway of the covey.
    func name(of node: NodeID) -> String {
        cluster?.membership.member(node).map(\.identity.name).flatMap { $0.isEmpty ? nil : $0 } ?? node.description
    }
}
