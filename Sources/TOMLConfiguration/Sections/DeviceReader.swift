import Devices
import Model

/// Reads one `[[device]]`.
struct DeviceReader {
    let reader: TableReader
    let storage: StorageConfiguration
    /// The brokers that the file describes.
    let brokers: BrokerNames

    init(
        _ table: TOMLTable, findings: Findings, folder: String, storage: StorageConfiguration, brokers: BrokerNames
    ) {
        reader = TableReader(
            table, title: RootReader.title("device", of: table, by: "id"), findings: findings, folder: folder)
        self.storage = storage
        self.brokers = brokers
    }

    private static let later = ["exec", "sysfs", "iio", "hwmon", "w1", "system"]
    private static let mqttKeys = [
        "broker", "topic", "decoder", "paths", "units", "time_zone", "base_topic",
    ]
    private static let gpioKeys = ["chip", "line", "edge", "mode", "bias", "active_low", "debounce"]
    private static let sharedKeys = ["metric", "unit", "interval"]
    private static let simulatedKeys = ["wave", "period", "amplitude", "mean", "noise", "seed"]

    /// `nil` where the id or what the driver needs is missing or faulty.
    func read() -> DeviceConfiguration? {
        let id = reader.required("id", example: "id = \"door\"", Names.deviceID)
        let driver = reader.required("driver", example: "driver = \"mqtt\"") { (item) throws(Unfit) in
            try Read.choice(item, DeviceConfiguration.DriverKind.self, later: Self.later)
        }
        let window = reader.duration("commit_window", in: Bounds.commitWindow, words: [("sync", .zero)])
        let maximumRate = reader.rate("max_rate")
        let expectedInterval = reader.duration("expected_interval", in: Bounds.expectedInterval)
        let priority = reader.integer("priority", in: Bounds.priority, default: Defaults.priority)
        guard let driver else {
            reader.finish(
                unless: "driver", is: Self.later,
                accepting: Self.mqttKeys + Self.gpioKeys + Self.simulatedKeys + Self.sharedKeys)
            return nil
        }
        let source = source(driver.value)
        reader.finish(
            foreign: Self.foreign(to: driver.value),
            hints: ["name": "did you mean `id`?", "pin": "did you mean `line`?"])
        checkCapture(id, driver: driver.value)
        guard let id, let source else { return nil }
        return DeviceConfiguration(
            id: id.value, source: source, commitWindow: window ?? storage.commitWindow, maximumRate: maximumRate,
            expectedInterval: expectedInterval, priority: priority)
    }

    private static func foreign(to kind: DeviceConfiguration.DriverKind) -> [(keys: [String], owner: String)] {
        let owners = [
            (DeviceConfiguration.DriverKind.mqtt, mqttKeys + ["metric", "unit"]), (.gpio, gpioKeys + ["interval"]),
            (.simulated, simulatedKeys + ["metric", "unit", "interval"]),
        ]
        return owners.filter { $0.0 != kind }.map { (keys: $0.1, owner: "driver = \"\($0.0.rawValue)\"") }
    }

    private func source(_ driver: DeviceConfiguration.DriverKind) -> DeviceConfiguration.Source? {
        switch driver {
        case .mqtt: mqtt().map { .mqtt($0) }
        case .gpio: gpio().map { .gpio($0) }
        case .simulated: .simulated(simulated())
        }
    }

    /// `{device}` stands in the id and in the topic, or in neither.
    private func checkCapture(_ id: Located<String>?, driver: DeviceConfiguration.DriverKind) {
        guard let id else { return }
        let hasPattern = id.value.contains("{device}")
        guard driver == .mqtt else {
            if hasPattern {
                reader.findings.fault(at: id.position, "`id` may hold {device} only with driver = \"mqtt\"")
            }
            return
        }
        guard case .string(let topic) = reader.table["topic"]?.item.value else { return }
        let hasCapture = topic.contains("{device}")
        if hasPattern, !hasCapture {
            reader.findings.fault(
                at: id.position, "`id` holds {device}, and the topic \(quoted(topic)) does not say where it is",
                suggestion: "write {device} for one level of the topic")
        } else if hasCapture, !hasPattern {
            reader.findings.fault(
                at: id.position, "the topic names {device}, and `id` does not hold it: all would be one device",
                suggestion: "id = \"{device}\", or + in the topic")
        }
    }

    private func simulated() -> SimulatedSettings {
        SimulatedSettings(
            metric: metric() ?? "value", unit: unit(),
            wave: reader.choice("wave", default: SimulatedSettings.Wave.sine),
            period: reader.duration("period", in: Bounds.period) ?? Defaults.period,
            amplitude: reader.number("amplitude", in: 0...Bounds.amount.upperBound, default: 1),
            mean: reader.number("mean", in: Bounds.amount, default: 0),
            noise: reader.number("noise", in: 0...Bounds.amount.upperBound, default: 0),
            interval: reader.duration("interval", in: Bounds.simulatedInterval) ?? Defaults.simulatedInterval,
            seed: UInt64(reader.integer("seed", in: 0...Int64.max, default: 1)))
    }

    func metric() -> String? {
        reader.value("metric") { (item) throws(Unfit) in
            let name = try Read.text(item)
            try Self.checkMetric(name)
            return name
        }?.value
    }

    static func checkMetric(_ name: String) throws(Unfit) {
        guard (1...Limits.metricNameBytes).contains(name.utf8.count),
            name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !"+#/".utf8.contains($0) })
        else {
            throw Unfit(
                "must be a name of 1 to \(Limits.metricNameBytes) bytes without spaces, '/', '+' and '#', not \(quoted(name))"
            )
        }
    }

    func unit() -> String? {
        reader.value("unit") { (item) throws(Unfit) in
            let unit = try Read.text(item)
            try Self.checkUnit(unit)
            return unit
        }?.value
    }

    static func checkUnit(_ unit: String) throws(Unfit) {
        guard (1...Limits.unitBytes).contains(unit.utf8.count) else {
            throw Unfit("must have 1 to \(Limits.unitBytes) bytes, not \(unit.utf8.count)")
        }
    }
}
