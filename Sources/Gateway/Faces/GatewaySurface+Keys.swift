import ControlAPI
import GatewayCore
import Logging
import Membership
import Model

// Orders about the covey's key.
extension GatewaySurface {
    /// Begins a change of the key, or lets the one that is under way go on without some.
    func rotateKey(without names: [String]) async throws -> [UInt8] {
        let core = await parts.gateway.read { $0 }
        let rotation = try Self.rotation(core)
        let members = core.cluster?.membership.members ?? []
        let skipped = try names.map { name in
            let member = try Self.member(name, among: members)
            guard !member.state.isPresent else {
                throw ControlError(
                    .conflict, "gateway \(Self.name(member)) is \(member.state.word), and can have the new key",
                    hint: "leave out --without \(name)")
            }
            return member.node
        }
        if rotation.state.isChanging {
            if !skipped.isEmpty { await parts.gateway.handle(.keys(.skip(skipped))) }
            return await keyProgress()
        }
        if let refusal = rotation.refusal { throw ControlError(.conflict, refusal) }
        if let old = core.oldForKeys.first {
            throw ControlError(
                .conflict, "gateway \(old) runs a version that cannot change its key",
                hint: "upgrade it first, or change the key by hand")
        }
        await parts.gateway.handle(.keys(.begin(.random(), skipping: skipped)))
        logger.notice("a change of the covey's key was ordered")
        return await keyProgress()
    }

    func abortKey() async throws -> [UInt8] {
        let rotation = try Self.rotation(await parts.gateway.read { $0 })
        guard rotation.state.isChanging else {
            throw ControlError(.conflict, "no change of the covey's key is under way")
        }
        await parts.gateway.handle(.keys(.abort))
        logger.notice("the change of the covey's key was ordered back")
        return await keyProgress()
    }

    private static func rotation(_ core: GatewayCore) throws(ControlError) -> KeyRotation {
        guard core.cluster?.setup.identifyKey != nil else {
            throw ControlError(
                .conflict, "this covey has no key of its own", hint: "cluster.key_file in the configuration names one")
        }
        guard let rotation = core.keyRotation else {
            throw ControlError(.conflict, "the covey's key is not there yet", hint: "covey status says why")
        }
        return rotation
    }

    private func keyProgress() async -> [UInt8] {
        let core = await parts.gateway.read { $0 }
        var json = JSONWriter()
        core.writeKey(to: &json)
        return json.bytes
    }
}

extension GatewayCore {
    /// The covey's key and how far a change of it is: an object, `null` where the covey has no key of its own.
    func writeKey(to json: inout JSONWriter) {
        guard let rotation = keyRotation else { return json.null() }
        json.object { json in
            json.member("id", rotation.state.keys.first.map { Self.hex($0.id) } ?? "")
            json.key("known")
            json.integer(rotation.state.keys.count)
            json.key("error")
            if let failure = rotation.failure { json.string(failure) } else { json.null() }
            json.key("change")
            guard let change = rotation.wanted.rotation else { return json.null() }
            json.object { json in
                json.key("number")
                json.integer(Int64(clamping: change.id.number))
                json.member("target", Self.hex(change.target))
                json.member(
                    "stage", (rotation.state.rotation?.id == change.id ? rotation.state.rotation?.stage : nil).word)
                json.key("waits_for")
                json.array { json in
                    for (node, stage) in rotation.waitsFor {
                        let member = cluster?.membership.member(node)
                        json.object { json in
                            json.member("name", member?.identity.name ?? "")
                            json.member("node", node.description)
                            json.member("state", member?.state.word ?? "unknown")
                            json.member("stage", stage.word)
                        }
                    }
                }
            }
        }
    }

    private static func hex(_ id: UInt32) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// What a person should know of a change of the key that does not go on, a sentence each.
    var keyReasons: [String] {
        guard let rotation = keyRotation else { return [] }
        if let failure = rotation.failure { return ["the covey's keys cannot be written: \(failure)"] }
        guard let stage = rotation.state.rotation?.stage else { return [] }
        let away = rotation.waitsFor.filter { entry in
            !(cluster?.membership.member(entry.node)?.state.isPresent ?? false)
        }
        guard let first = away.first else { return [] }
        let known = cluster?.membership.member(first.node)?.identity.name ?? ""
        let name = known.isEmpty ? "\(first.node)" : known
        let more = away.count > 1 ? " and \(away.count - 1) more" : ""
        return [
            stage >= .using
                ? "the covey's old key stays known until \(name)\(more) has the new one, or is forgotten"
                : "the covey's new key waits for \(name)\(more): covey key rotate --without \(name) uses it before"
        ]
    }
}

extension KeyStage? {
    /// As faces call it.
    var word: String {
        switch self {
        case nil: "unaware"
        case .lacking: "lacking"
        case .installed: "installed"
        case .using: "using"
        case .done: "done"
        }
    }
}
