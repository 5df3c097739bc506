package import Devices
import Environment
package import Model
import Synchronization
import TOMLConfiguration

/// Every device of this gateway, configured or discovered. Shared by the broker feeds, the intake and the faces.
package final class DeviceDirectory: Sendable {
    package struct Entry: Sendable {
        package let device: Device
        /// The driver's word: `mqtt`, `gpio`, `simulated`.
        package let driver: String
        /// How long its readings may wait for a commit.
        package let window: Duration
        /// The id of the configuration's element that it came by, perhaps with `{device}`.
        package let pattern: String
    }

    private let entries = Mutex<[DeviceID: Entry]>([:])
    private let budget = SeriesBudget()
    /// Of the ring, for all devices.
    let pressure = RingPressure()

    package init() {}

    package subscript(id: DeviceID) -> Entry? { entries.withLock { $0[id] } }

    /// All devices, by name.
    package var all: [(id: DeviceID, entry: Entry)] {
        entries.withLock { $0.map { (id: $0.key, entry: $0.value) } }.sorted { $0.id < $1.id }
    }

    /// The device under this name, made now where there is none yet. The caller has admitted the name to the roster.
    func findOrMake(_ id: DeviceID, _ configured: DeviceConfiguration, now: MonotonicInstant) -> (
        entry: Entry, isNew: Bool
    ) {
        entries.withLock { entries in
            if let entry = entries[id] { return (entry, false) }
            let device = Device(
                id: id, policy: configured.policy, series: budget, pressure: pressure, createdAt: now)
            let entry = Entry(device, configured)
            entries[id] = entry
            return (entry, true)
        }
    }

    /// The device under this name as it is configured now, made where there is none yet; one that is there keeps its series and counts.
    @discardableResult
    func place(_ id: DeviceID, _ configured: DeviceConfiguration, now: MonotonicInstant) -> Entry {
        entries.withLock { entries in
            let device =
                entries[id]?.device
                ?? Device(id: id, policy: configured.policy, series: budget, pressure: pressure, createdAt: now)
            let entry = Entry(device, configured)
            entries[id] = entry
            return entry
        }
    }

    func remove(_ id: DeviceID) {
        entries.withLock { $0[id] = nil }
    }
}

extension DeviceDirectory.Entry {
    fileprivate init(_ device: Device, _ configured: DeviceConfiguration) {
        self.init(
            device: device, driver: configured.source.driver.rawValue, window: configured.commitWindow,
            pattern: configured.id)
    }
}
