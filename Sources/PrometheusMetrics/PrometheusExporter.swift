package import CoreMetrics
import Synchronization

/// Keeps what is measured through swift-metrics, for Prometheus to scrape.
///
/// Making an instrument takes a lock; using it is an atomic addition, or for timers and recorders a lock of that series alone. Asking twice for
/// the same label and dimensions gives the same series. What does not fit under ``PrometheusLimits/lines``, or is of another
/// kind than its name says already, is measured into nothing, and counted.
package final class PrometheusExporter: MetricsFactory {
    /// What a family says of itself, and how finely it is cut.
    package struct Description: Sendable {
        package let help: String
        /// Upper bounds of a histogram's buckets, ascending; empty for the usual ones.
        package let buckets: [Double]

        package init(_ help: String, buckets: [Double] = []) {
            precondition(
                zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 }, "buckets that do not ascend: \(buckets)")
            self.help = help
            self.buckets = buckets
        }
    }

    /// From half a millisecond (a sync of good flash) to ten seconds (a card that hangs).
    package static let durationBuckets = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    package static let sizeBuckets: [Double] = [1, 4, 16, 64, 256, 1024, 4096, 16_384]

    private enum Cell: Sendable {
        case counter(CounterCell)
        case floatingCounter(FloatingCounterCell)
        case gauge(GaugeCell)
        case histogram(HistogramCell)

        var object: AnyObject {
            switch self {
            case .counter(let cell): cell
            case .floatingCounter(let cell): cell
            case .gauge(let cell): cell
            case .histogram(let cell): cell
            }
        }

        var kind: PrometheusText.Kind {
            switch self {
            case .counter, .floatingCounter: .counter
            case .gauge: .gauge
            case .histogram: .histogram
            }
        }

        var lines: Int {
            if case .histogram(let cell) = self { cell.bounds.count + 3 } else { 1 }
        }
    }

    private struct Series {
        let cell: Cell
        /// Instruments that were made of it and not destroyed.
        var holders: Int
    }

    private struct Family {
        let kind: PrometheusText.Kind
        var series: [LabelText: Series] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var lines = 0
        var dropped: UInt64 = 0
    }

    private let descriptions: [String: Description]
    private let limit: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - descriptions: By name, as it stands on the page.
    ///   - lines: Sample lines at most.
    package init(descriptions: [String: Description] = [:], lines: Int = PrometheusLimits.lines) {
        self.descriptions = descriptions
        limit = lines
    }

    // MARK: Making

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let cell = series(Self.name(label, unit: "_total"), dimensions) { _ in .counter(CounterCell()) }
        if case .counter(let cell) = cell { return cell }
        return NOOPMetricsHandler.instance
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        let cell = series(Self.name(label, unit: "_total"), dimensions) { _ in .floatingCounter(FloatingCounterCell()) }
        if case .floatingCounter(let cell) = cell { return cell }
        return NOOPMetricsHandler.instance
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        if case .gauge(let cell) = series(Names.metric(label), dimensions, make: { _ in .gauge(GaugeCell()) }) {
            return cell
        }
        return NOOPMetricsHandler.instance
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        let cell = series(Names.metric(label), dimensions) { buckets in
            aggregate ? .histogram(HistogramCell(bounds: buckets ?? Self.sizeBuckets)) : .gauge(GaugeCell())
        }
        switch (cell, aggregate) {
        case (.histogram(let cell), true): return cell
        case (.gauge(let cell), false): return cell
        default: return NOOPMetricsHandler.instance
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let cell = series(Self.name(label, unit: "_seconds"), dimensions) { buckets in
            .histogram(HistogramCell(bounds: buckets ?? Self.durationBuckets))
        }
        if case .histogram(let cell) = cell { return cell }
        return NOOPMetricsHandler.instance
    }

    package func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    /// Prometheus wants the unit, and that a counter is one, at the end of the name.
    private static func name(_ label: String, unit: String) -> String {
        Names.metric(label.hasSuffix(unit) ? label : label + unit)
    }

    /// The series of this name and these dimensions, made now where there is none; `nil` where it may not be.
    private func series(
        _ name: String, _ dimensions: [(String, String)], make: ([Double]?) -> Cell
    ) -> Cell? {
        let buckets = descriptions[name].flatMap { $0.buckets.isEmpty ? nil : $0.buckets }
        let fresh = make(buckets)
        let labels = LabelText(
            dimensions.map { (name: $0.0, value: $0.1) }, reserved: fresh.kind == .histogram ? "le" : nil)
        return state.withLock { state in
            if let known = state.families[name]?.series[labels]?.cell {
                guard type(of: known.object) == type(of: fresh.object) else {
                    state.dropped += 1
                    return nil
                }
                state.families[name]?.series[labels]?.holders += 1
                return known
            }
            let kind = state.families[name]?.kind ?? fresh.kind
            guard kind == fresh.kind, state.lines + fresh.lines <= limit, !isTaken(name, kind, state) else {
                state.dropped += 1
                return nil
            }
            state.families[name, default: Family(kind: kind)].series[labels] = Series(cell: fresh, holders: 1)
            state.lines += fresh.lines
            return fresh
        }
    }

    /// Whether the lines of another family would bear this name: a histogram `x` has `x_bucket`, `x_sum` and `x_count`.
    private func isTaken(_ name: String, _ kind: PrometheusText.Kind, _ state: State) -> Bool {
        for suffix in ["_bucket", "_sum", "_count"] {
            if name.hasSuffix(suffix), state.families[String(name.dropLast(suffix.count))]?.kind == .histogram {
                return true
            }
            if kind == .histogram, state.families[name + suffix] != nil { return true }
        }
        return false
    }

    private func destroy(_ handler: AnyObject) {
        state.withLock { state in
            for (name, family) in state.families {
                guard let (labels, series) = family.series.first(where: { $0.value.cell.object === handler }) else {
                    continue
                }
                if series.holders > 1 {
                    state.families[name]?.series[labels]?.holders -= 1
                } else {
                    state.families[name]?.series[labels] = nil
                    state.lines -= series.cell.lines
                }
                if state.families[name]?.series.isEmpty == true { state.families[name] = nil }
                return
            }
        }
    }

    // MARK: Telling

    /// Adds all series to the page, in the order of their names and labels, and how many did not fit.
    package func write(into text: inout PrometheusText) {
        let (families, dropped) = state.withLock { ($0.families, $0.dropped) }
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            let help = descriptions[name]?.help ?? ""
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                switch series.cell {
                case .counter(let cell): text.add(name, .counter, help, labels, String(cell.value))
                case .floatingCounter(let cell):
                    text.add(name, .counter, help, labels, PrometheusText.text(of: cell.value))
                case .gauge(let cell): text.add(name, .gauge, help, labels, PrometheusText.text(of: cell.value))
                case .histogram(let cell): write(cell, name, help, labels, into: &text)
                }
            }
        }
        text.gauge(
            "covey_metrics_dropped_series", "Series that were asked for and not kept, for want of room or of one kind.",
            dropped)
    }

    private func write(
        _ cell: HistogramCell, _ name: String, _ help: String, _ labels: LabelText, into text: inout PrometheusText
    ) {
        let counts = cell.snapshot
        var total: UInt64 = 0
        for (bound, count) in zip(cell.bounds + [.infinity], counts.inBucket) {
            total += count
            let labels = labels.bucket(upTo: PrometheusText.text(of: bound))
            text.add(name, .histogram, help, labels, suffix: "_bucket", String(total))
        }
        text.add(name, .histogram, help, labels, suffix: "_sum", PrometheusText.text(of: counts.sum))
        text.add(name, .histogram, help, labels, suffix: "_count", String(total))
    }
}
