package import Devices
package import Environment
package import Model
import Synchronization

/// Every device of this gateway, configured or discovered. Shared by the broker feeds, the intake and the faces.
package final class DeviceDirectory: Sendable {
    package struct Entry: Sendable {
        package let device: Device
        /// The driver's word: `mqtt`, `gpio`, `simulated`.
        package let driver: String
        /// How long its readings may wait for a commit.
        package let window: Duration
        /// Whether its silence would mean something.
        package let isExpected: Bool
    }

    private let entries = Mutex<[DeviceID: Entry]>([:])
    private let budget = SeriesBudget()

    package init() {}

    package subscript(id: DeviceID) -> Entry? { entries.withLock { $0[id] } }

    /// All devices, by name.
    package var all: [(id: DeviceID, entry: Entry)] {
        entries.withLock { $0.map { (id: $0.key, entry: $0.value) } }.sorted { $0.id < $1.id }
    }

    /// The device under this name, made now where there is none yet. The caller has admitted the name to the roster.
    package func findOrMake(
        _ id: DeviceID, driver: String, policy: DevicePolicy, window: Duration, now: MonotonicInstant
    ) -> (entry: Entry, isNew: Bool) {
        entries.withLock { entries in
            if let entry = entries[id] { return (entry, false) }
            let device = Device(id: id, policy: policy, series: budget, createdAt: now)
            let entry = Entry(
                device: device, driver: driver, window: window, isExpected: policy.expectedInterval != nil)
            entries[id] = entry
            return (entry, true)
        }
    }
}
