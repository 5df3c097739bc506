import ClusterLink
import ControlAPI
import GatewayCore
import Membership
import Model
import Supervision
import TOMLConfiguration

// Where else the covey may be found.
extension GatewaySurface {
    /// Takes the addresses, and tells how far each is; asked again it tells only that.
    func join(_ texts: [String]) async throws -> [UInt8] {
        guard parts.departure.state == .staying else {
            throw ControlError(.conflict, "this gateway leaves its covey", hint: "restart it to join again")
        }
        let addresses = try texts.map(Self.address)
        if let tooMany = await parts.joined.add(addresses, store: parts.store, log: parts.log) {
            throw ControlError(.conflict, tooMany, hint: "covey leave forgets them, or name seeds in the configuration")
        }
        let core = await parts.gateway.read { $0 }
        let members = core.cluster?.membership.members.filter(\.state.isPresent) ?? []
        let tree = await supervisor.tree()
        var json = JSONWriter()
        json.object { json in
            json.key("alive")
            json.integer(members.count)
            json.key("link_error")
            let isLinked = parts.peerLink?.counts != nil
            if !isLinked, let failure = tree["covey"]?["link"]?.lastFailure {
                json.string(failure)
            } else {
                json.null()
            }
            json.key("addresses")
            json.array { json in
                for address in addresses { write(address, core, members, to: &json) }
            }
        }
        return json.bytes
    }

    private static func address(_ text: String) throws(ControlError) -> HostPort {
        guard let (host, port) = PeerAddress(text)?.parts else {
            throw ControlError(
                .badRequest, "\"\(text.prefix(60))\" is no address", hint: "HOST:PORT, as in 10.0.0.2:8472")
        }
        return HostPort(host: host, port: port)
    }

    private func write(_ address: HostPort, _ core: GatewayCore, _ members: [Member], to json: inout JSONWriter) {
        let look = parts.joined.look(address)
        let member = members.first { member in
            look.found.contains { $0 == member.address || core.cluster?.membership.seedNode(at: $0) == member.node }
        }
        json.object { json in
            json.member("address", address.description)
            json.key("member")
            if let member { json.string(Self.name(member)) } else { json.null() }
            json.key("error")
            if member != nil {
                json.null()
            } else if look.found.contains(where: { $0 == parts.peerLink?.address }) {
                json.string("that is this gateway itself")
            } else if let error = look.error ?? look.found.lazy.compactMap({ parts.peerLink?.failure(to: $0) }).first {
                json.string(error)
            } else {
                json.null()
            }
        }
    }
}
