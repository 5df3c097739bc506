import Synchronization

/// How much of the ring holds readings that may not go yet, as all devices see it.
package final class RingPressure: Sendable {
    private let value = Atomic<Int>(0)

    package init() {}

    /// 0 to 100.
    package var percent: Int {
        get { value.load(ordering: .relaxed) }
        set { value.store(newValue, ordering: .relaxed) }
    }
}

/// How long a device's readings are taken while the ring fills with what no sink has.
///
/// | priority       | its readings are taken while such readings take less than |
/// |----------------|-----------------------------------------------------------|
/// | 0, 1, 2, 3, 4  | 50, 60, 70, 80, 90 % of the ring                          |
/// | 5 to 9         | always: then it matters what a full ring does             |
package struct Priority: Hashable, Sendable {
    /// 0 to 9.
    package let level: Int

    package init(_ level: Int) {
        precondition((0...9).contains(level), "priority \(level)")
        self.level = level
    }

    package static let ordinary = Priority(5)

    func isTaken(at percent: Int) -> Bool { level >= Priority.ordinary.level || percent < 50 + 10 * level }
}
