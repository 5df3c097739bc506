import ControlAPI
import Environment
import GatewayCore
import Membership
import Model

extension GatewayCore {
    /// The other gateways of the covey as this one sees them, an object each, by node. Nothing where it is alone.
    func writePeers(to json: inout JSONWriter, now: MonotonicInstant) {
        json.array { json in
            for member in cluster?.membership.members ?? [] {
                json.object { json in
                    json.member("name", member.identity.name)
                    json.member("node", member.node.description)
                    json.member("address", member.address.text)
                    json.member("state", member.state.word)
                    json.key("since_s")
                    json.integer(member.since.duration(to: now).components.seconds)
                    json.key("incarnation")
                    json.integer(Int64(clamping: member.incarnation.rawValue))
                    json.member("start", member.identity.start.description)
                    let version = member.identity.version
                    json.member("protocol", "\(version.major).\(version.minor)")
                    guard let health = health(of: member.node) else { return }
                    json.key("durable")
                    json.flag(health.isDurable)
                    json.key("pending")
                    json.integer(Int64(clamping: health.pending))
                    json.key("held")
                    json.integer(Int64(clamping: health.held))
                    json.key("under_replicated")
                    json.integer(Int64(clamping: health.underReplicated))
                }
            }
        }
    }
}

extension MemberState {
    /// As faces call it.
    var word: String {
        switch self {
        case .alive: "alive"
        case .suspect: "suspect"
        case .dead: "dead"
        case .left, .forgotten: "left"
        }
    }
}
