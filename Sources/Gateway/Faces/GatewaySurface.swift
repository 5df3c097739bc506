import ControlAPI
import Devices
import Environment
import GatewayCore
import LogFormat
import Logging
import MQTTLink
import Model
import Posix
import RingLog
import Supervision
import SupervisionCore

/// What the gateway answers over its control interface.
struct GatewaySurface: ControlSurface {
    let parts: Gateway.Parts
    let supervisor: Supervisor
    let logger: Logger

    func status() async throws -> [UInt8] {
        let document = await document()
        var json = JSONWriter(reserving: 8192)
        document.write(to: &json)
        return json.bytes
    }

    func uploads() async throws -> [UInt8] {
        let document = await document()
        var json = JSONWriter()
        document.writeUploads(to: &json)
        return json.bytes
    }

    func peers() async throws -> [UInt8] {
        let core = await parts.gateway.read { $0 }
        var json = JSONWriter()
        core.writePeers(to: &json, now: parts.clock.now)
        return json.bytes
    }

    func ring() async throws -> [UInt8] {
        let core = await parts.gateway.read { $0 }
        let owners = core.owners(node: parts.node, name: parts.name)
        return RingDocument(
            gateway: parts.name, node: parts.node.description, inventory: core.ring.inventory, recovery: parts.findings,
            repair: RepairDocument(core: core)
        ) { log in
            let owner = owners[log.log]
            return log.isOwn || log.node != nil ? (owner.node.description, owner.name) : ("", "")
        }.json
    }

    func health() async throws -> HealthReport {
        let (health, reasons) = await document().verdict
        return HealthReport(HealthReport.State(rawValue: health.rawValue) ?? .failed, reasons: reasons)
    }

    func metrics() async throws -> [UInt8] {
        let links = parts.ingestLinks.all.map { (name: $0.name, status: $0.link.status) }
        var queues = parts.sinks.map { (name: "uploads/\($0.label)", waiting: $0.orders.counts.waiting) }
        queues.append(("drivers", parts.intake.waiting))
        queues.append(("discovery", parts.discovery.finds.counts.waiting))
        return MetricsPage(
            status: await document(links), links: links, queues: queues, process: ProcessFacts.read(),
            instruments: parts.instruments, log: parts.log.counts
        ).bytes
    }

    func devices() async throws -> [UInt8] {
        let now = parts.clock.now
        let stamp = parts.clock.stamp
        let core = await parts.gateway.read { $0 }
        let tree = await supervisor.tree()["devices"]
        var json = JSONWriter()
        var rows: [(DeviceID, DeviceDirectory.Entry, DeviceStatus)] = []
        for (id, entry) in parts.directory.all { rows.append((id, entry, await entry.device.status)) }
        var owners: [DeviceID: NodeID] = [:]
        for (_, reader) in parts.ingestLinks.readers { owners.merge(await reader.owners) { first, _ in first } }
        json.array { json in
            for (id, entry, status) in rows {
                json.object { json in
                    json.member("id", id.rawValue)
                    json.member("driver", entry.driver)
                    let node = tree?[id.rawValue]
                    json.member("state", status.staleSince != nil ? "stale" : node?.state.rawValue ?? "running")
                    json.key("restarts")
                    json.integer(node?.restarts ?? 0)
                    json.key("last_t")
                    if let last = status.lastReadingAt {
                        json.integer(stamp.wall.rawValue - last.duration(to: now).nanoseconds / 1_000_000)
                    } else {
                        json.null()
                    }
                    json.key("series")
                    json.integer(status.seriesCount)
                    core.ledger[id].write(to: &json, waiting: core.ledger.waiting(id))
                    json.key("taken_by")
                    if let owner = owners[id], owner != parts.node {
                        json.string(core.name(of: owner))
                    } else {
                        json.null()
                    }
                    json.key("last_error")
                    if let text = node?.lastFailure ?? status.lastRejection?.detail {
                        json.string(text)
                    } else {
                        json.null()
                    }
                }
            }
        }
        return json.bytes
    }

    func latest(_ globs: [Glob], history: Int) async throws -> [UInt8] {
        let (name, node) = (parts.name, parts.node)
        let (entries, clock, owners) = await parts.gateway.read {
            let own = $0.latest.entries(matching: globs, values: history)
            let others = $0.copiedLatest.entries(matching: globs, values: history)
            return (own + others, $0.ring.clock, $0.owners(node: node, name: name))
        }
        var json = JSONWriter(reserving: entries.count * (160 + 8 * history))
        json.array { json in
            for entry in entries {
                entry.stored.write(
                    to: &json, owner: owners[entry.stored.log], clock: clock,
                    history: history > 0 ? entry.history : nil)
            }
        }
        return json.bytes
    }

    func tail(_ globs: [Glob]) async throws -> LineStream { try parts.tails.follow(globs) }

    func query(_ request: QueryRequest) async throws -> LineStream {
        let pages = QueryPages(parts: parts, request: request, nodes: try await nodes(named: request.gateways))
        return LineStream { try await pages.next() }
    }

    /// Those gateways, this one among them; `nil` where none is named.
    private func nodes(named names: [String]) async throws(ControlError) -> Set<NodeID>? {
        guard !names.isEmpty else { return nil }
        let (name, node) = (parts.name, parts.node)
        let owners = await parts.gateway.read { $0.owners(node: node, name: name) }
        var nodes: Set<NodeID> = []
        for name in names {
            var found = owners.all.filter { $0.name == name }
            if found.isEmpty, name.utf8.count >= 4 {
                found = owners.all.filter { $0.node.description.hasPrefix(name.lowercased()) }
            }
            guard !found.isEmpty else {
                throw ControlError(
                    .notFound, "no gateway of the covey is called that", hint: "covey peers shows their names")
            }
            nodes.formUnion(found.map(\.node))
        }
        return nodes
    }

    /// How the gateway is now.
    func document() async -> StatusDocument {
        await document(parts.ingestLinks.all.map { (name: $0.name, status: $0.link.status) })
    }

    private func document(_ links: [(name: String, status: LinkStatus)]) async -> StatusDocument {
        let core = await parts.gateway.read { $0 }
        let age = await parts.gateway.commitAge
        let tree = await supervisor.tree()
        var shared: [String: SharedBrokerDocument] = [:]
        for (name, reader) in parts.ingestLinks.readers {
            shared[name] = SharedBrokerDocument(await reader.status, core: core)
        }
        return StatusDocument(
            gateway: parts.name, node: parts.node, version: Gateway.version,
            uptime: parts.startedAt.duration(to: parts.clock.now), core: core, commitAge: age, tree: tree,
            brokers: links.map { StatusDocument.BrokerState($0.name, $0.status, shared: shared[$0.name]) },
            covey: parts.peerLink.map { link in
                CoveyDocument(
                    core: core, address: link.address, link: link.counts,
                    linkFailure: tree["covey"]?["link"]?.lastFailure, departure: parts.departure.state,
                    neighbours: link.watch?.state, certificateRemark: link.certificateRemark)
            },
            recovery: parts.findings, configuration: parts.live.snapshot, now: parts.clock.now)
    }
}

extension StatusDocument.BrokerState {
    init(_ name: String, _ status: LinkStatus, shared: SharedBrokerDocument?) {
        self.init(
            name: name, state: status.state.rawValue, error: status.lastFailure?.message, received: status.messages,
            batches: status.batches, connects: status.connects, failures: status.failures,
            sessionsForgotten: status.sessionsForgotten, refused: status.refusedFilters, shared: shared)
    }
}

extension StoredReading {
    /// In the form of the contract, with the members that name the gateway, and the last values where they are asked for.
    func write(
        to json: inout JSONWriter, owner: LogOwners.Owner, clock: ClockTable, history: [Float]? = nil
    ) {
        json.object { json in
            NativeBatch.Item(self, clock: clock).write(to: &json)
            json.member("gateway", owner.name)
            json.member("node", owner.node.description)
            json.member("log", log.description)
            guard let history else { return }
            json.key("history")
            json.array { json in
                // By way of the text, so that 0.1 stays 0.1.
                for value in history { json.number(Double(value.description) ?? Double(value)) }
            }
        }
    }

    func line(owner: LogOwners.Owner, clock: ClockTable) -> [UInt8] {
        var json = JSONWriter(reserving: 192)
        write(to: &json, owner: owner, clock: clock)
        return json.bytes
    }
}
