import ClusterLink
import Environment
import KeyValue
import Logging
import Model
import Synchronization
import TOMLConfiguration

/// Where else the covey may be found, as `covey join` was told while the gateway ran: kept over restarts, until the gateway leaves.
final class JoinedSeeds: Sendable {
    /// As many as a configuration may name.
    static let most = 64

    /// What came of looking an address up.
    struct Look: Sendable {
        var found: [PeerAddress] = []
        /// Why nothing was found; `nil` before the first look, too.
        var error: String?
    }

    private struct State {
        var seeds: [HostPort] = []
        /// Grows with every change.
        var version = 0
        var looks: [HostPort: Look] = [:]
    }

    private static let key = "joined"
    private let state = Mutex(State())

    var seeds: [HostPort] { state.withLock(\.seeds) }
    var version: Int { state.withLock(\.version) }

    init() {}

    /// Finds those of earlier runs.
    func load(from store: any KeyValueStore, log: LimitedLog) async {
        do {
            let text = try await store.text(for: Self.key, in: .identity) ?? ""
            let seeds = text.split(separator: "\n").compactMap { PeerAddress(String($0))?.parts }
            state.withLock { $0.seeds = seeds.map { HostPort(host: $0.host, port: $0.port) } }
        } catch {
            log.line(.warning, source: "joined", "where the covey was joined cannot be read: \(error.message)")
        }
    }

    /// - Returns: Why they cannot be added; `nil` where they are.
    func add(_ addresses: [HostPort], store: any KeyValueStore, log: LimitedLog) async -> String? {
        let (text, refusal) = state.withLock { state -> (String?, String?) in
            var seeds = state.seeds
            for address in addresses where !seeds.contains(address) { seeds.append(address) }
            guard seeds.count <= Self.most else { return (nil, "\(Self.most) addresses were joined already") }
            guard seeds != state.seeds else { return (nil, nil) }
            state.seeds = seeds
            state.version += 1
            return (seeds.map(\.description).joined(separator: "\n"), nil)
        }
        if let text { await keep(text, store, log) }
        return refusal
    }

    /// The gateway leaves.
    func clear(store: any KeyValueStore, log: LimitedLog) async {
        state.withLock { state in
            state.seeds = []
            state.version += 1
        }
        await keep("", store, log)
    }

    private func keep(_ text: String, _ store: any KeyValueStore, _ log: LimitedLog) async {
        do {
            try await store.put(text: text, for: Self.key, in: .identity)
        } catch {
            log.line(.warning, source: "joined", "where the covey is joined cannot be kept: \(error.message)")
        }
    }

    func note(_ look: Look, of seed: HostPort) { state.withLock { $0.looks[seed] = look } }

    func look(_ seed: HostPort) -> Look { state.withLock { $0.looks[seed] ?? Look() } }
}
