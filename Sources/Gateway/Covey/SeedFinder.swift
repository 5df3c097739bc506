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

    let seeds: [HostPort]
    let link: PeerLink
    let list: SeedList
    let clock: any Environment.Clock
    let log: LimitedLog

    func run(_ context: ChildContext) async throws {
        let thread = try ThreadExecutor(name: "covey-resolve")
        defer { thread.retire() }
        while true {
            await list.checkOwnAddress()
            let own = link.address
            var found: [PeerAddress] = []
            for seed in seeds {
                let result = await Task(executorPreference: thread) { PeerAddress.resolve(seed.host, port: seed.port) }
                    .value
                switch result {
                case .success(let addresses): found += addresses.filter { $0 != own && !found.contains($0) }
                case .failure(let error):
                    log.line(
                        .warning, source: "seed \(seed)", "cluster: seed \(seed): \(error); it is looked up again")
                }
            }
            await list.resolved(found)
            try await clock.sleep(until: clock.now.advanced(by: Self.pause))
        }
    }
}
