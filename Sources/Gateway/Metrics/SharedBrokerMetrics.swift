import Model
import PrometheusMetrics
import SharedFeeds

extension SharedBrokerDocument {
    /// The same as numbers, for the broker that `labels` name.
    func write(_ labels: [(name: String, value: String)], to text: inout PrometheusText) {
        let counts = status.counts
        text.gauge("covey_broker_shared_gateways", "Other gateways that read the same.", others.count, labels)
        text.gauge(
            "covey_broker_shared_waiting", "Messages remembered for the gateways that are to take them.",
            status.waiting, labels)
        let counters: [(String, String, UInt64)] = [
            ("stood_by", "Messages that another gateway was to take.", counts.stoodBy),
            ("confirmed", "Messages stood by for that are durable elsewhere.", counts.confirmed),
            ("taken_over", "Messages taken as their owner went.", counts.takenOver),
            ("rescued", "Messages taken as nobody reported them.", counts.rescued),
            ("dropped", "Messages that fell out of the memory.", counts.dropped),
            ("known", "Messages that another gateway had taken.", counts.known),
        ]
        for (name, help, value) in counters {
            text.counter("covey_broker_shared_\(name)_total", help, value, labels)
        }
    }
}
