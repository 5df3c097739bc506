import Environment
import Logging
import MDNS
import Model
import Supervision
import Synchronization

/// What is known of the search by mDNS, for those who ask.
final class NeighbourWatch: Sendable {
    struct State: Sendable {
        var sighting = Sighting()
        /// Announcements of this covey, and of others.
        var (own, foreign) = (0, 0)
        /// Why nothing is found; `nil` while Avahi answers.
        var failure: String?
    }

    private let held = Mutex(State())

    var state: State { held.withLock(\.self) }

    /// - Returns: Whether it failed with another reason before, or not at all.
    func failed(_ reason: String) -> Bool {
        held.withLock { state in
            defer { state.failure = reason }
            state.sighting.isAnnounced = false
            return state.failure != reason
        }
    }

    /// - Returns: Whether it had failed before.
    func saw(_ sighting: Sighting, own: Int) -> Bool {
        held.withLock { state in
            defer { state = State(sighting: sighting, own: own, foreign: sighting.neighbours.count - own) }
            return state.failure != nil
        }
    }
}

/// Announces this gateway on its network by mDNS, and looks for others of its covey. It blocks its thread. A machine without Avahi is told
/// once and looked at again and again: somebody may install it, and a daemon may start after this gateway.
struct NeighbourFinder: Sendable {
    /// Of tries to reach Avahi. The first is short, as daemons start together; the longest costs nothing to speak of.
    static let (shortestPause, longestPause) = (Duration.seconds(2), Duration.seconds(300))
    /// Between two lists of seeds: a network full of announcements that come and go keeps no core busy.
    static let calm = Duration.seconds(1)
    /// How late a changed key is announced.
    static let look = Duration.seconds(30)

    let name: String
    let link: PeerLink
    let seeds: SeedList
    let watch: NeighbourWatch
    let clock: any Environment.Clock
    let logger: Logger

    func run() async throws {
        var pause = Self.shortestPause
        while true {
            do throws(MDNSError) {
                try await search { pause = Self.shortestPause }
            } catch {
                if watch.failed("\(error)") {
                    logger.warning("cluster: no gateways are found by mDNS: \(error); it is tried again")
                }
            }
            try await clock.sleep(until: clock.now.advanced(by: pause))
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// One session, for as long as the keys stay as they are.
    private func search(whenFound: () -> Void) async throws(MDNSError) {
        // Without a link there is nothing to announce.
        guard let keys = link.keyNames, let key = keys.first else { return whenFound() }
        let session = try MDNSSession(link.announcement(name: name, key: key))
        var before: Sighting?
        while !Task.isCancelled, link.keyNames == keys {
            let sighting = session.sighting
            if sighting != before {
                before = sighting
                whenFound()
                await tell(sighting, keys)
                try? await clock.sleep(until: clock.now.advanced(by: Self.calm))
            }
            try await work(session)
        }
    }

    private func work(_ session: MDNSSession) async throws(MDNSError) {
        let result = await withTaskCancellationHandler {
            Result { () throws(MDNSError) in try session.work(atMost: Self.look) }
        } onCancel: {
            session.wake()
        }
        try result.get()
    }

    private func tell(_ sighting: Sighting, _ keys: [String]) async {
        let own = sighting.neighbours.filter { keys.contains($0.key) }
        if watch.saw(sighting, own: own.count) {
            logger.notice("cluster: gateways are looked for by mDNS again")
        }
        let address = link.address
        // In an order of their own, so that the same ones are the same list.
        var addresses = own.map(\.address).filter { $0 != address }
        addresses.sort()
        await seeds.announced(addresses)
    }
}
