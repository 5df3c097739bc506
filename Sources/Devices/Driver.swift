package import Environment
package import Model

/// One value as a driver saw it, stamped at the source.
package struct Sample: Hashable, Sendable {
    package let metric: String
    package let unit: String?
    package let value: Value
    package let quality: Quality
    package let stamp: Stamp

    package init(metric: String, unit: String? = nil, value: Value, quality: Quality = .good, stamp: Stamp) {
        self.metric = metric
        self.unit = unit
        self.value = value
        self.quality = quality
        self.stamp = stamp
    }
}

/// What a running driver may do to the rest of the gateway. None of these waits or throws, so a driver can call them from any thread.
package struct DriverPort: Sendable {
    package let clock: any Clock
    /// Hands samples to the device's bounded mailbox. What does not fit is dropped and counted there.
    package let emit: @Sendable ([Sample]) -> Void
    /// Says that the driver is alive; a driver that stays silent past its deadline is replaced.
    package let heartbeat: @Sendable () -> Void

    package init(
        clock: any Clock, emit: @escaping @Sendable ([Sample]) -> Void, heartbeat: @escaping @Sendable () -> Void
    ) {
        self.clock = clock
        self.emit = emit
        self.heartbeat = heartbeat
    }
}

/// Reads one device until it is cancelled. A throw is a crash: the supervisor restarts it by its strategy.
package protocol Driver: Sendable {
    /// `true` where ``run(_:)`` may block its thread (C calls, blocking reads): it then gets a thread of its own.
    var blocksThread: Bool { get }
    func run(_ port: DriverPort) async throws
}
