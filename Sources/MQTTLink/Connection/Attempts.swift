import Environment
import Model

/// A link's attempts to reach its broker: by which address, in which version, and how long it waits in between. For the
/// link's thread.
struct Attempts {
    private let settings: BrokerSettings
    private var pacer: ReconnectPacer
    private var choice: ProtocolChoice
    private var random: SeededRandom

    init(_ settings: BrokerSettings, seed: UInt64) {
        self.settings = settings
        pacer = ReconnectPacer(settings.reconnect)
        choice = ProtocolChoice(settings.version)
        random = SeededRandom(seed: seed)
    }

    /// The next one's number since the last connection that was stable; from 1.
    var next: Int { pacer.failuresInRow + 1 }

    /// Finds the broker and opens what `prepare` makes for it; once more where the broker does not know the version.
    mutating func connect(
        on thread: LinkThread, prepare: (MQTTVersion) throws(LinkEnd) -> Connection
    ) throws(LinkEnd) {
        let deadline = monotonicNow().advanced(by: settings.reconnect.connectTimeout)
        let target = try Resolver(thread: thread, settings: settings).target(deadline: deadline)
        do {
            try prepare(choice.next).open(target, on: thread, deadline: deadline)
        } catch {
            guard case .failure(let failure) = error, choice.failed(failure) else { throw error }
            try prepare(choice.next).open(target, on: thread, deadline: deadline)
        }
        choice.connected()
    }

    /// An attempt failed at `now`, or the connection that there was since `connectedAt` ended; gives the wait before the
    /// next one.
    mutating func failed(at now: MonotonicInstant, connectedAt: MonotonicInstant?) -> Duration {
        pacer.failed(connectedFor: connectedAt?.duration(to: now), using: &random)
    }
}
