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
        let pages = QueryPages(parts: parts, request: request)
        return LineStream { try await pages.next() }
    }

    /// How the gateway is now.
    func document() async -> StatusDocument {
        await document(parts.ingestLinks.all.map { (name: $0.name, status: $0.link.status) })
    }

    private func document(_ links: [(name: String, status: LinkStatus)]) async -> StatusDocument {
        let core = await parts.gateway.read { $0 }
        let age = await parts.gateway.commitAge
        let tree = await supervisor.tree()
        return StatusDocument(
            gateway: parts.name, node: parts.node, version: Gateway.version,
            uptime: parts.startedAt.duration(to: parts.clock.now), core: core, commitAge: age, tree: tree,
            brokers: links.map { StatusDocument.BrokerState($0.name, $0.status) },
            covey: parts.peerLink.map { link in
                CoveyDocument(
                    core: core, address: link.address, link: link.counts,
                    linkFailure: tree["covey"]?["link"]?.lastFailure, departure: parts.departure.state,
                    neighbours: link.watch?.state, certificateRemark: link.certificateRemark)
            },
            recovery: parts.findings, configuration: parts.live.snapshot, now: parts.clock.now)
    }
}

/// A query's answer in pages, so that neither side ever holds all of it.
private actor QueryPages {
    private let parts: Gateway.Parts
    private let request: QueryRequest
    private var pager: QueryPager
    private var isDone = false

    init(parts: Gateway.Parts, request: QueryRequest) {
        self.parts = parts
        self.request = request
        pager = QueryPager(from: request.since)
    }

    func next() async throws -> [UInt8]? {
        while !isDone {
            let page = if let limit = request.limit { try await readNewest(limit) } else { try await readPage() }
            if !page.isEmpty { return page }
        }
        return nil
    }

    /// The newest `limit` readings, told oldest first: they must be held at once, so the limit is one of memory too.
    private func readNewest(_ limit: Int) async throws -> [UInt8] {
        isDone = true
        let most = QueryResult.newestReadings
        let result = try await perform(from: request.since, newestFirst: true, limit: min(limit, most))
        let readings = result.readings.sorted { ($0.time, $0.stored.offset) < ($1.time, $1.stored.offset) }
        return await lines(
            readings, notes: limit > most ? ["no more than the newest \(most) readings are told"] : [], result)
    }

    private func readPage() async throws -> [UInt8] {
        let result = try await perform(from: pager.from, newestFirst: false, limit: pager.limit)
        let readings = pager.take(result)
        isDone = pager.isDone
        return await lines(readings, notes: [], result)
    }

    private func perform(from: Milliseconds?, newestFirst: Bool, limit: Int) async throws -> QueryResult {
        let (globs, until) = (request.globs, request.until)
        for _ in 0..<8 {
            let plan = await parts.gateway.read {
                $0.ring.queryPlan(from: from, to: until, newestFirst: newestFirst, limit: limit, copies: true)
            }
            let result = await parts.onReader { disk in
                plan.perform(on: disk) { series in globs.isEmpty || globs.contains { $0.matches(series) } }
            }
            if !result.damage.isEmpty { await parts.gateway.handle(.damageFound(result.damage)) }
            if !result.overwritten { return result }
        }
        throw ControlError(
            .unavailable, "the ring is overwritten faster than it can be read", hint: "ask for a later time")
    }

    private func lines(_ readings: [TimedReading], notes: [String], _ result: QueryResult) async -> [UInt8] {
        let (name, node) = (parts.name, parts.node)
        let (clock, owners) = await parts.gateway.read { ($0.ring.clock, $0.owners(node: node, name: name)) }
        let partial = isDone ? await parts.gateway.read(\.partialNote).map { [$0] } ?? [] : []
        var bytes: [UInt8] = []
        for reading in readings {
            bytes.append(contentsOf: reading.stored.line(owner: owners[reading.stored.log], clock: clock))
            bytes.append(UInt8(ascii: "\n"))
        }
        for note in notes + result.notes + partial {
            var json = JSONWriter()
            json.object { $0.member("note", note) }
            bytes.append(contentsOf: json.bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }
}

extension StatusDocument.BrokerState {
    init(_ name: String, _ status: LinkStatus) {
        self.init(
            name: name, state: status.state.rawValue, error: status.lastFailure?.message, received: status.messages,
            batches: status.batches, connects: status.connects, failures: status.failures,
            sessionsForgotten: status.sessionsForgotten, refused: status.refusedFilters)
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
