import Model
import TOMLConfiguration

/// The devices and series that there are, for telling a slip from silence.
struct KnownNames {
    private(set) var devices: Set<String>
    private(set) var series: Set<Series>

    /// Names that are listed where nothing is near.
    private static let listed = 5

    init(devices: some Sequence<String> = [], series: some Sequence<Series> = []) {
        self.series = Set(series)
        self.devices = Set(devices).union(self.series.map(\.device.rawValue))
    }

    /// Asks the daemon.
    init(_ client: DaemonClient) throws {
        let readings = try client.document("/v1/latest").elements
        let devices = try client.document("/v1/devices").elements
        self.init(
            devices: devices.compactMap { $0["id"]?.string },
            series: readings.compactMap(ReadingRow.init).compactMap { row in
                DeviceID(validating: row.device).map { Series(device: $0, metric: row.metric, unit: row.unit) }
            })
    }

    /// What is wrong with those of the patterns that nothing matches, a sentence each; one that matches a device that
    /// has said nothing yet is right. Nothing where nothing is known.
    func complaints(about patterns: [String]) -> [String] {
        guard !devices.isEmpty else { return [] }
        return patterns.filter { !isKnown(Glob($0)) }.map { "nothing matches \"\(cut($0, to: 60))\"; \(help($0))" }
    }

    private func isKnown(_ glob: Glob) -> Bool {
        series.contains { glob.matches($0) } || devices.contains { glob.matches($0) }
    }

    private func help(_ pattern: String) -> String {
        let halves = pattern.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let isPattern = pattern.contains { $0 == "*" || $0 == "?" }
        let all = halves.count == 2 ? Set(series.map(\.description)) : devices
        if !isPattern, let near = Suggestion.nearest(to: pattern, among: all.sorted()) {
            return "did you mean \(near)?"
        }
        if halves.count == 2, devices.contains(halves[0]) {
            let metrics = Set(series.filter { $0.device.rawValue == halves[0] }.map(\.metric)).sorted()
            if metrics.isEmpty { return "\(halves[0]) has sent nothing yet" }
            return "\(halves[0]) has \(Self.list(metrics))"
        }
        return "there \(devices.count == 1 ? "is" : "are") \(Self.list(devices.sorted()))"
    }

    private static func list(_ names: [String]) -> String {
        names.prefix(listed).joined(separator: ", ")
            + (names.count > listed ? " and \(names.count - listed) more: covey devices" : "")
    }
}
