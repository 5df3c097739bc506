package import Model

/// What arrived from one stream (one device's feed) and what became of it, since the ring was made. Cumulative; one message that was not
/// decoded counts as one reading.
package struct StreamCounts: Hashable, Sendable {
    package var received: UInt64 = 0
    package var stored: UInt64 = 0
    package var duplicate: UInt64 = 0
    package var rejected = ReasonCounts()
    package var dropped = ReasonCounts()

    package init() {}

    /// What has come to an end, one way or another: the right-hand side of the first equation, without `waiting`.
    package var settled: UInt64 { stored + duplicate + rejected.total + dropped.total }

    package mutating func add(_ other: StreamCounts) {
        received += other.received
        stored += other.stored
        duplicate += other.duplicate
        rejected.add(other.rejected)
        dropped.add(other.dropped)
    }
}

/// The loss ledger's first equation: `received = waiting + stored + duplicate + rejected + dropped`, per stream and per gateway.
///
/// `waiting` is counted on its own, as readings enter and leave the intake, so that the balance is a check and not a definition.
package struct Ledger: Sendable {
    private var streams: [DeviceID: StreamCounts] = [:]
    private var waitingByStream: [DeviceID: UInt64] = [:]
    /// Streams whose counts moved by something that left no reading: nothing else tells of it.
    private var changed: Set<DeviceID> = []
    /// Streams that got readings since their counts were taken; the readings themselves tell of it.
    private var grown: Set<DeviceID> = []

    package init() {}

    /// The stream that stands for messages which belong to no device.
    package static let unrouted = DeviceID("(unrouted)")
    /// The stream that stands for readings of which nobody knows any more whose they were.
    package static let unattributed = DeviceID("(unattributed)")

    package var devices: [DeviceID] { streams.keys.sorted() }
    package subscript(device: DeviceID) -> StreamCounts { streams[device] ?? StreamCounts() }
    package func waiting(_ device: DeviceID) -> UInt64 { waitingByStream[device] ?? 0 }

    package var total: StreamCounts {
        devices.reduce(into: StreamCounts()) { $0.add(self[$1]) }
    }

    package var totalWaiting: UInt64 { waitingByStream.values.reduce(0, +) }

    /// Whether the first equation holds for every stream.
    package var isBalanced: Bool {
        devices.allSatisfy { self[$0].received == waiting($0) + self[$0].settled }
    }

    /// Adds what a device says about messages that gave no reading, and counts `arrived` readings into `received`.
    package mutating func count(_ delta: StreamCounts, for device: DeviceID) {
        streams[device, default: StreamCounts()].add(delta)
        changed.insert(device)
    }

    /// Readings of `device` are on their way to the disk.
    package mutating func accept(_ count: Int, from device: DeviceID) {
        streams[device, default: StreamCounts()].received += UInt64(count)
        waitingByStream[device, default: 0] += UInt64(count)
    }

    /// Readings of `device` are durable.
    package mutating func store(_ count: Int, from device: DeviceID) {
        let waiting = waitingByStream[device] ?? 0
        precondition(waiting >= UInt64(count), "\(device): \(count) readings stored, \(waiting) were waiting")
        waitingByStream[device] = waiting == UInt64(count) ? nil : waiting - UInt64(count)
        streams[device, default: StreamCounts()].stored += UInt64(count)
        grown.insert(device)
    }

    /// Whether the settled counts of any stream moved since they were taken.
    package var hasChanged: Bool { !changed.isEmpty || !grown.isEmpty }

    /// The streams, in order, whose settled counts moved since they were taken: `all` of them, or those alone of which nothing but their
    /// counts can tell.
    package mutating func takeChanged(all: Bool) -> [DeviceID] {
        defer {
            if all { grown.removeAll(keepingCapacity: true) } else { grown.subtract(changed) }
            changed.removeAll(keepingCapacity: true)
        }
        return (all ? changed.union(grown) : changed).sorted()
    }

    /// Readings of `device` that arrived and will not be stored after all.
    package mutating func withdraw(_ count: Int, from device: DeviceID, dropped reason: String) {
        let waiting = waitingByStream[device] ?? 0
        precondition(waiting >= UInt64(count), "\(device): \(count) readings withdrawn, \(waiting) were waiting")
        waitingByStream[device] = waiting == UInt64(count) ? nil : waiting - UInt64(count)
        streams[device, default: StreamCounts()].dropped.add(UInt64(count), for: reason)
        changed.insert(device)
    }

    /// Readings of `device` that an earlier process stored after it had last written its counts.
    package mutating func recover(_ count: Int, from device: DeviceID) {
        streams[device, default: StreamCounts()].received += UInt64(count)
        streams[device, default: StreamCounts()].stored += UInt64(count)
        grown.insert(device)
    }

    package mutating func restore(_ counts: StreamCounts, for device: DeviceID) {
        streams[device] = counts
    }
}
