package import Model
import Synchronization

/// The devices that the gateway knows, configured and discovered, of all its brokers together: where a bomb of topics ends.
package final class DeviceRoster: Sendable {
    private let limit: Int
    private let known = Mutex<Set<DeviceID>>([])

    package init(limit: Int = Limits.devices) {
        self.limit = limit
    }

    /// `true` where the device is known already, or there was room for it and it is known from now on.
    package func admit(_ id: DeviceID) -> Bool {
        known.withLock { known in
            if known.contains(id) { return true }
            guard known.count < limit else { return false }
            known.insert(id)
            return true
        }
    }

    /// Makes room: the device is gone from the configuration.
    package func dismiss(_ id: DeviceID) {
        known.withLock { _ = $0.remove(id) }
    }

    package var count: Int { known.withLock { $0.count } }

    /// Sorted by name.
    package var ids: [DeviceID] { known.withLock { $0.sorted() } }
}
