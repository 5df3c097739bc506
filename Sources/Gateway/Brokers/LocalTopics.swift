import MQTTLink
import Model
import RingLog

/// The retained topics that a site's own programs subscribe to: `covey/GATEWAY/status` and `covey/GATEWAY/DEVICE/METRIC`.
struct LocalTopics: Sendable {
    let gateway: String
    let publishers: [PublishLink]

    /// All of this gateway's topics lie below this.
    static func prefix(_ gateway: String) -> String { "covey/\(level(gateway))/" }

    static func presence(_ gateway: String) -> PublishLink.Presence {
        PublishLink.Presence(
            topic: prefix(gateway) + "status", online: Array("online".utf8), offline: Array("offline".utf8))
    }

    /// Announces the newest of each series; older ones of the same batch would be overwritten at once.
    func announce(_ readings: [StoredReading]) {
        guard !publishers.isEmpty else { return }
        var newest: [Series: Value] = [:]
        for stored in readings { newest[stored.reading.series] = stored.reading.value }
        for (series, value) in newest.sorted(by: { $0.key < $1.key }) {
            let topic = Self.prefix(gateway) + "\(series.device)/\(Self.level(series.metric))"
            for publisher in publishers { publisher.offerLatest(topic: topic, payload: Self.payload(value)) }
        }
    }

    /// The bare value: `21.5`, `true`, `Online`.
    private static func payload(_ value: Value) -> [UInt8] {
        if case .text(let text) = value { return Array(text.utf8) }
        var json = JSONWriter()
        json.value(value)
        return json.bytes
    }

    /// A name as one topic level: what a topic may not hold becomes `_`.
    private static func level(_ name: String) -> String {
        String(name.map { "+#/\0".contains($0) ? "_" : $0 })
    }
}
