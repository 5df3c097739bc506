import Model
import RingLog

/// Puts a few readings in the place of many: of each series' numbers in a window their least, greatest, mean and count, of its flags and
/// texts the last. Pure; its memory is bounded by ``mostWindows``.
///
/// | of a series in one window          | is kept as                                       |
/// |------------------------------------|--------------------------------------------------|
/// | several numbers                    | `METRIC@WINDOW.min`, `.max`, `.mean`, `.count`   |
/// | one number                         | `METRIC@WINDOW.mean`                             |
/// | flags, texts                       | the last of them, `METRIC@WINDOW.last`           |
/// | what was downsampled before        | as it is                                         |
/// | a metric too long for such a name  | nothing                                          |
///
/// All have the time of the first reading of theirs, and the worst quality. Windows are of Unix time, as far as it is known.
struct Downsampler: Sendable {
    /// Some 200 bytes each. What a segment holds beyond that many is not kept: the newest of it.
    static let mostWindows = 16_384

    private struct Key: Hashable {
        let series: Series
        let boot: BootID
        let window: Int64
    }

    private enum Content: Sendable {
        case numbers(Numbers)
        case last(Value)
    }

    private struct Numbers: Sendable {
        var count = 0
        var least = Double.infinity
        var greatest = -Double.infinity
        var mean = 0.0

        mutating func add(_ number: Double) {
            count += 1
            least = min(least, number)
            greatest = max(greatest, number)
            // In this form no two finite numbers are too far apart for it.
            mean += number / Double(count) - mean / Double(count)
        }
    }

    private struct Window: Sendable {
        let series: Series
        let stamp: Stamp
        var quality: Quality
        var content: Content

        /// A series whose values change their kind in the middle of a window keeps the last of the newer kind.
        mutating func take(_ value: Value) {
            switch (value, content) {
            case (.number(let number), .numbers(var numbers)):
                numbers.add(number)
                content = .numbers(numbers)
            default: content = .last(value)
            }
        }
    }

    private enum Item: Sendable {
        case window(Window)
        case old(Reading)

        var readings: Int {
            if case .window(let window) = self, case .numbers(let numbers) = window.content, numbers.count > 1 {
                4
            } else {
                1
            }
        }
    }

    private let window: Duration
    /// In the order of their first readings.
    private var items: [Item] = []
    private var places: [Key: Int] = [:]
    private(set) var taken = 0

    init(window: Duration) {
        self.window = window
    }

    mutating func take(_ reading: Reading, at time: Milliseconds) {
        taken += 1
        guard !reading.series.isDownsampled else {
            if items.count < Self.mostWindows { items.append(.old(reading)) }
            return
        }
        let number = time.rawValue.flooredDivision(by: max(window.nanoseconds / 1_000_000, 1))
        let key = Key(series: reading.series, boot: reading.stamp.boot, window: number)
        guard let place = places[key], case .window(var known) = items[place] else {
            guard items.count < Self.mostWindows else { return }
            places[key] = items.count
            var new = Window(
                series: reading.series, stamp: reading.stamp, quality: reading.quality, content: .numbers(Numbers()))
            new.take(reading.value)
            items.append(.window(new))
            return
        }
        known.quality = known.quality.rawValue < reading.quality.rawValue ? reading.quality : known.quality
        known.take(reading.value)
        items[place] = .window(known)
    }

    /// What to store in the place of all that was taken: half as many readings at most, or nothing would be won; the newest.
    func readings() -> [Reading] {
        var room = taken / 2
        var kept: [[Reading]] = []
        for item in items.reversed() {
            guard item.readings <= room else { break }
            let readings = readings(of: item)
            room -= readings.count
            kept.append(readings)
        }
        return kept.reversed().flatMap(\.self)
    }

    private func readings(of item: Item) -> [Reading] {
        switch item {
        case .old(let reading): return [reading]
        case .window(let found):
            var values: [(Series.Statistic, Value)] = []
            switch found.content {
            case .last(let value): values = [(.last, value)]
            case .numbers(let numbers) where numbers.count == 1: values = [(.mean, .number(numbers.mean))]
            case .numbers(let numbers):
                values = [
                    (.min, .number(numbers.least)), (.max, .number(numbers.greatest)), (.mean, .number(numbers.mean)),
                    (.count, .number(Double(numbers.count))),
                ]
            }
            return values.compactMap { statistic, value in
                found.series.downsampled(statistic, window).map {
                    Reading(series: $0, stamp: found.stamp, value: value, quality: found.quality)
                }
            }
        }
    }
}

extension Series {
    /// What a downsampled reading tells of its window.
    package enum Statistic: String, Hashable, Sendable, CaseIterable {
        case min, max, mean, count, last
    }

    /// `METRIC@WINDOW.STATISTIC`; `nil` where that is too long for a metric.
    func downsampled(_ statistic: Statistic, _ window: Duration) -> Series? {
        let name = "\(metric)@\(window.shortened).\(statistic.rawValue)"
        guard name.utf8.count <= Limits.metricNameBytes else { return nil }
        return Series(device: device, metric: name, unit: statistic == .count ? nil : unit)
    }

    /// Whether this is such a name: of the past, and not to be shown as the latest of anything.
    package var isDownsampled: Bool {
        guard let at = metric.utf8.lastIndex(of: UInt8(ascii: "@")) else { return false }
        let parts = metric[metric.utf8.index(after: at)...].split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0].utf8.first.map { (48...57).contains($0) } == true
            && Statistic(rawValue: String(parts[1])) != nil
    }
}

extension Duration {
    /// `10min`, as a question's `--every` is written.
    fileprivate var shortened: String {
        let milliseconds = nanoseconds / 1_000_000
        for (size, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")] as [(Int64, String)]
        where milliseconds % size == 0 {
            return "\(milliseconds / size)\(unit)"
        }
        return "\(milliseconds)ms"
    }
}
