import ControlAPI
import Environment
import GatewayCore
import Model
import Posix
import RingLog

/// A query's answer in pages, so that neither side ever holds all of it: this gateway's own readings, and what others have of the rest.
actor QueryPages {
    private let parts: Gateway.Parts
    private let request: QueryRequest
    /// Whose readings; `nil` for all.
    private let nodes: Set<NodeID>?
    private let mail = QueryMail()
    private let id: UInt64
    private var random = SystemRandomNumberGenerator()
    private var query: CoveyQuery?
    private var pager: QueryPager
    /// What a person should be told with the next page.
    private var notes: [String] = []
    /// The newest readings, newest first, where only so many are wanted: they must be held at once, so the limit is one of memory too.
    private var newest: [ToldReading] = []
    private var isCollected = false
    private var isDone = false

    /// Readings told at a time.
    private static let pageReadings = 4096
    /// After so long without a reading a blank line tells that somebody is at work, to the caller and to the control interface.
    private static let silence = Duration.seconds(2)

    init(parts: Gateway.Parts, request: QueryRequest, nodes: Set<NodeID>?) {
        self.parts = parts
        self.request = request
        self.nodes = nodes
        pager = QueryPager(from: request.since)
        id = parts.queries.add(mail)
    }

    deinit {
        parts.queries.remove(id)
    }

    func next() async throws -> [UInt8]? {
        if isDone { return nil }
        var query = if let query { query } else { await begin() }
        // Moved out and back, so that no second copy of its pages is ever made.
        self.query = nil
        defer { self.query = query }
        let pause = parts.clock.now.advanced(by: Self.silence)
        while true {
            let readings = readings(of: &query)
            if isCollected || query.isDone, request.limit == nil || newest.isEmpty { isDone = true }
            if isDone { notes += await missing(query) }
            if !readings.isEmpty || isDone { return await lines(readings) }
            if try await !advance(&query) {
                let now = parts.clock.now
                if now >= pause || Task.isCancelled { return [UInt8(ascii: "\n")] }
                await mail.wait(until: min(query.wake ?? pause, pause), parts.clock)
            }
        }
    }

    private func begin() async -> CoveyQuery {
        let nodes = nodes
        let elsewhere = await parts.gateway.read { $0.elsewhere(of: nodes) }
        let wish = QueryWish(
            globs: request.globs, from: request.since, to: request.until, newestFirst: request.limit != nil)
        return CoveyQuery(wish, elsewhere: elsewhere, limit: limit ?? .max)
    }

    private var limit: Int? { request.limit.map { min($0, QueryResult.newestReadings) } }

    /// What can be told now: with a limit nothing before all is there, and then the oldest first.
    private func readings(of query: inout CoveyQuery) -> [ToldReading] {
        guard let limit else { return query.take(Self.pageReadings) }
        if !isCollected {
            newest += query.take(limit - newest.count)
            guard newest.count == limit || query.isDone else { return [] }
            isCollected = true
            if request.limit ?? 0 > limit, newest.count == limit {
                notes.append("no more than the newest \(limit) readings are told")
            }
        }
        let page = newest.suffix(Self.pageReadings)
        newest.removeLast(page.count)
        return page.reversed()
    }

    /// Takes in what has come, and does what the query wants done; whether there was anything.
    private func advance(_ query: inout CoveyQuery) async throws -> Bool {
        let news = mail.take()
        var directives: [CoveyQueryDirective] = []
        for news in news { directives += query.step(.news(news), now: parts.clock.now, using: &random) }
        directives += query.step(.tick, now: parts.clock.now, using: &random)
        await send(directives, of: query)
        // Those that were asked are at work meanwhile.
        guard directives.contains(where: { if case .readOwn = $0 { true } else { false } }) else {
            return !news.isEmpty
        }
        let (readings, isLast) = try await readOwn(query.ownScope)
        await send(query.step(.own(readings, isLast: isLast), now: parts.clock.now, using: &random), of: query)
        return true
    }

    private func send(_ directives: [CoveyQueryDirective], of query: CoveyQuery) async {
        mail.expect(query.openQuestions)
        for case .send(let bytes, let node) in directives {
            await parts.gateway.handle(.queryMessage(bytes, to: node))
        }
    }

    private func readOwn(_ scope: OwnScope) async throws -> (readings: [TimedReading], isLast: Bool) {
        guard let limit else {
            let result = try await perform(from: pager.from, newestFirst: false, limit: pager.limit, scope)
            let readings = pager.take(result)
            return (readings, pager.isDone)
        }
        return (try await perform(from: request.since, newestFirst: true, limit: limit, scope).readings, true)
    }

    private func perform(
        from: Milliseconds?, newestFirst: Bool, limit: Int, _ scope: OwnScope
    ) async throws -> QueryResult {
        let (globs, until, nodes, name, node) = (request.globs, request.until, nodes, parts.name, parts.node)
        for _ in 0..<8 {
            let plan = await parts.gateway.read { core in
                let owners = core.owners(node: node, name: name)
                return core.ring.queryPlan(from: from, to: until, newestFirst: newestFirst, limit: limit) { log in
                    nodes?.contains(owners[log].node) ?? true ? scope[log] : .nothing
                }
            }
            let result = await parts.onReader { disk in
                plan.perform(on: disk) { series in globs.isEmpty || globs.contains { $0.matches(series) } }
            }
            if !result.damage.isEmpty { await parts.gateway.handle(.damageFound(result.damage)) }
            if !result.overwritten {
                notes += result.notes
                return result
            }
        }
        throw ControlError(
            .unavailable, "the ring is overwritten faster than it can be read", hint: "ask for a later time")
    }

    private func missing(_ query: CoveyQuery) async -> [String] {
        await parts.gateway.handle(.queried(query.counts))
        guard !query.missing.isEmpty else { return [] }
        let (name, node) = (parts.name, parts.node)
        let owners = await parts.gateway.read { $0.owners(node: node, name: name) }
        return Missing.sentences(query.missing) { node in
            let name = owners[node].name
            return name.isEmpty ? "\(node)" : name
        }
    }

    private func lines(_ readings: [ToldReading]) async -> [UInt8] {
        let (name, node) = (parts.name, parts.node)
        let (clock, owners) = await parts.gateway.read { ($0.ring.clock, $0.owners(node: node, name: name)) }
        var bytes: [UInt8] = []
        for told in readings {
            let stored = told.reading.stored
            let owner = told.name.map { owners[$0.node] } ?? owners[stored.log]
            bytes.append(contentsOf: stored.line(owner: owner, clock: told.clock?.table ?? clock))
            bytes.append(UInt8(ascii: "\n"))
        }
        for note in notes {
            var json = JSONWriter()
            json.object { $0.member("note", note) }
            bytes.append(contentsOf: json.bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        notes = []
        return bytes
    }
}
