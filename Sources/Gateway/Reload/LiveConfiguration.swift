import Model
import Synchronization
import TOMLConfiguration

/// The configuration that the gateway runs on, which a reload exchanges, and how the last reload went.
final class LiveConfiguration: Sendable {
    struct State: Sendable {
        var current: GatewayConfiguration
        /// When ``current`` was taken over; wall time.
        var since: Milliseconds
        /// What was wrong with the file at the last reload, a line each; empty where it was taken.
        var faults: [String] = []
        /// What the file asks for and only the next start can give.
        var waiting: [String] = []
    }

    private let state: Mutex<State>

    init(_ configuration: GatewayConfiguration, since: Milliseconds) {
        state = Mutex(State(current: configuration, since: since))
    }

    var current: GatewayConfiguration { state.withLock { $0.current } }
    var snapshot: State { state.withLock { $0 } }

    func take(_ change: ConfigurationChange, at moment: Milliseconds) {
        state.withLock { $0 = State(current: change.applied, since: moment, waiting: change.waiting) }
    }

    /// The file cannot be used; what runs goes on.
    func refuse(_ faults: [String]) {
        state.withLock { $0.faults = faults }
    }
}
