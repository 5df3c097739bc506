package import Environment
package import Model

/// Turns times of the monotonic clock, which the kernel gives to edges, into stamps, which count time since boot with
/// suspend included. The two clocks are sampled together; between two suspends their distance does not change.
package struct EdgeTime: Sendable {
    private let nanoseconds: Int64
    private let stamp: Stamp

    /// - Parameter nanoseconds: the monotonic time at which `stamp` was taken.
    package init(nanoseconds: Int64, stamp: Stamp) {
        self.nanoseconds = nanoseconds
        self.stamp = stamp
    }

    package init(sampling clock: any Environment.Clock) {
        let before = clock.now.nanoseconds
        let stamp = clock.stamp
        let after = clock.now.nanoseconds
        self.init(nanoseconds: before + (after - before) / 2, stamp: stamp)
    }

    /// The stamp of an edge at that monotonic time.
    package func stamp(at edge: Int64) -> Stamp {
        let elapsed = edge - nanoseconds
        // Rounded down on both sides of the sample, so that edges keep their order.
        let microseconds = elapsed >= 0 ? elapsed / 1000 : (elapsed - 999) / 1000
        return Stamp(
            boot: stamp.boot, uptime: Microseconds(stamp.uptime.rawValue + microseconds), wallOffset: stamp.wallOffset,
            isTrusted: stamp.isTrusted)
    }
}
