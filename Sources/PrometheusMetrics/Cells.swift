import CoreMetrics
import Synchronization

/// Whole numbers that only grow: one atomic addition.
final class CounterCell: CounterHandler {
    private let total = Atomic<UInt64>(0)

    var value: UInt64 { total.load(ordering: .relaxed) }

    /// What is negative would make a counter go back, and is left out.
    func increment(by amount: Int64) {
        if amount > 0 { total.wrappingAdd(UInt64(amount), ordering: .relaxed) }
    }

    func reset() { total.store(0, ordering: .relaxed) }
}

/// Fractions that only grow.
final class FloatingCounterCell: FloatingPointCounterHandler {
    private let total = AtomicDouble()

    var value: Double { total.value }

    func increment(by amount: Double) {
        if amount > 0, amount.isFinite { total.add(amount) }
    }

    func reset() { total.set(0) }
}

/// A value that goes up and down. Of a recorder that does not aggregate, the last value.
final class GaugeCell: MeterHandler, RecorderHandler {
    private let last = AtomicDouble()

    var value: Double { last.value }

    func set(_ value: Int64) { last.set(Double(value)) }
    func set(_ value: Double) { last.set(value) }
    func increment(by amount: Double) { last.add(amount) }
    func decrement(by amount: Double) { last.add(-amount) }
    func record(_ value: Int64) { last.set(Double(value)) }
    func record(_ value: Double) { last.set(value) }
}

/// How often which values came. A timer's are seconds.
final class HistogramCell: RecorderHandler, TimerHandler {
    struct Counts {
        /// By bucket, not cumulative; the last is for what is above all bounds.
        var inBucket: [UInt64]
        var sum = 0.0
    }

    /// Upper bounds, ascending.
    let bounds: [Double]
    private let counts: Mutex<Counts>

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Mutex(Counts(inBucket: Array(repeating: 0, count: bounds.count + 1)))
    }

    var snapshot: Counts { counts.withLock { $0 } }

    func record(_ value: Int64) { record(Double(value)) }

    /// What is no number, or endless, would spoil the sum for ever, and is left out.
    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        counts.withLock { counts in
            counts.inBucket[bucket] += 1
            counts.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(max(0, Double(duration) / 1_000_000_000)) }
}

/// A `Double` that any thread may change.
private final class AtomicDouble: Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (done, seen) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if done { return }
            old = seen
        }
    }
}
