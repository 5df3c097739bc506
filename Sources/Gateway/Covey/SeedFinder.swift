import ClusterLink
import Environment
import Logging
import Model
import Supervision
import TOMLConfiguration
import Threads

/// Looks up the names among the seeds, again and again: a name may point elsewhere tomorrow, and a name server may come later than this
/// gateway.
struct SeedFinder: Sendable {
    static let pause = Duration.seconds(30)
    /// A person who named another address watches.
    private static let look = Duration.seconds(1)

    /// Those of the configuration.
    let seeds: [HostPort]
    /// Those that were named later.
    let joined: JoinedSeeds
    let link: PeerLink
    let list: SeedList
    let clock: any Environment.Clock
    let log: LimitedLog

    func run(_ context: ChildContext) async throws {
        let thread = try ThreadExecutor(name: "covey-resolve")
        defer { thread.retire() }
        while true {
            await list.checkOwnAddress()
            let version = joined.version
            await list.resolved(await find(thread))
            let next = clock.now.advanced(by: Self.pause)
            while clock.now < next, joined.version == version {
                try await clock.sleep(until: clock.now.advanced(by: Self.look))
            }
        }
    }

    private func find(_ thread: ThreadExecutor) async -> [PeerAddress] {
        let own = link.address
        var found: [PeerAddress] = []
        // Those that were named by hand are wanted, and come first: there is room for so many.
        let joined = joined.seeds
        for seed in joined + seeds.filter({ !joined.contains($0) }) {
            let result = await Task(executorPreference: thread) { PeerAddress.resolve(seed.host, port: seed.port) }
                .value
            switch result {
            case .success(let addresses):
                self.joined.note(.init(found: addresses), of: seed)
                found += addresses.filter { $0 != own && !found.contains($0) }
            case .failure(let error):
                self.joined.note(.init(error: "\(error)"), of: seed)
                log.line(.warning, source: "seed \(seed)", "cluster: seed \(seed): \(error); it is looked up again")
            }
        }
        return found
    }
}
