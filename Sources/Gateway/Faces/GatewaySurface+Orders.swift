import ControlAPI
import GatewayCore
import Logging
import Membership
import Model
import Supervision
import SupervisionCore

// What a person orders.
extension GatewaySurface {
    func perform(_ order: ControlOrder) async throws -> [UInt8] {
        // A gateway alone has a ring, too.
        guard parts.peerLink != nil || order == .repairRing else {
            throw ControlError(
                .conflict, "this gateway is in no covey", hint: "[cluster] in the configuration puts it in one")
        }
        switch order {
        case .leave: return try await leave()
        case .forget(let node): return try await forget(node)
        case .rotateKey(let without): return try await rotateKey(without: without)
        case .abortKey: return try await abortKey()
        case .join(let addresses): return try await join(addresses)
        case .repairRing: return try await repairRing()
        }
    }

    /// Has all of the ring read, or tells how far that is where it is under way.
    private func repairRing() async throws -> [UInt8] {
        let (refusal, isUnderWay) = await parts.gateway.read { ($0.repairRefusal, $0.repair?.isUnderWay ?? false) }
        if let refusal { throw ControlError(.unavailable, refusal, hint: "covey status says more") }
        await parts.gateway.handle(.repair)
        if !isUnderWay { logger.notice("all of the ring is read now, as was ordered") }
        let document = await parts.gateway.read { RepairDocument(core: $0) }
        var json = JSONWriter()
        if let document { document.write(to: &json) } else { json.null() }
        return json.bytes
    }

    private func leave() async throws -> [UInt8] {
        let departure = parts.departure
        if departure.begin() {
            let farewell = Gateway.Farewell(parts: parts, supervisor: supervisor, logger: logger)
            try await supervisor.add(
                ChildSpec("leave", restart: .transient) { _ in try await farewell.run() }, under: ["covey"])
        }
        let core = await parts.gateway.read { $0 }
        let (state, readings) = (departure.state, core.heldHereAlone)
        var json = JSONWriter()
        json.object { json in
            json.member("state", state.rawValue)
            json.key("readings")
            json.integer(Int64(clamping: readings))
            json.key("reason")
            if state == .emptying, readings > 0, let reason = Self.reason(core) {
                json.string(reason)
            } else {
                json.null()
            }
        }
        return json.bytes
    }

    /// Why it may take for ever.
    private static func reason(_ core: GatewayCore) -> String? {
        guard core.cluster?.membership.presentMembers == 1 else { return nil }
        return "no other gateway is alive: it waits until all is uploaded, or one is back"
    }

    private func forget(_ wanted: String) async throws -> [UInt8] {
        let (members, awaited) = await parts.gateway.read { core in
            (core.cluster?.membership.members ?? [], core.keyRotation?.state.rotation?.awaited ?? [])
        }
        let strangers = awaited.filter { node in !members.contains { $0.node == node } }
        // A change of the key may wait for one whom nobody else remembers.
        if let node = strangers.first(where: { $0.description == wanted.lowercased() }) {
            await parts.gateway.handle(.keys(.drop(node)))
            return Self.forgotten("", node)
        }
        let member = try Self.member(wanted, among: members)
        guard !member.state.isPresent else {
            throw ControlError(
                .conflict, "gateway \(Self.name(member)) is \(member.state.word): only one that is gone is forgotten",
                hint: "covey leave on that gateway, or wait until it is dead")
        }
        await parts.gateway.handle(.forget(member.node))
        logger.notice("gateway \(Self.name(member)), node \(member.node), is forgotten, as was ordered")
        return Self.forgotten(member.identity.name, member.node)
    }

    private static func forgotten(_ name: String, _ node: NodeID) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("forgotten", name)
            json.member("node", node.description)
        }
        return json.bytes
    }

    /// The one that has the name, or whose node id begins so.
    static func member(_ wanted: String, among members: [Member]) throws(ControlError) -> Member {
        var found = members.filter { $0.identity.name == wanted }
        if found.isEmpty, wanted.utf8.count >= 4 {
            found = members.filter { $0.node.description.hasPrefix(wanted.lowercased()) }
        }
        guard let member = found.first else {
            throw ControlError(
                .notFound, "no gateway of the covey is called that", hint: "covey peers shows their names")
        }
        guard found.count == 1 else {
            let nodes = found.prefix(4).map { "\($0.node)" }.joined(separator: ", ")
            throw ControlError(
                .conflict, "\(found.count) gateways are called that", hint: "their node ids tell them apart: \(nodes)")
        }
        return member
    }

    static func name(_ member: Member) -> String {
        member.identity.name.isEmpty ? "\(member.node)" : member.identity.name
    }
}
