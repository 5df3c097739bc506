import ClusterLink
import Environment
import GatewayCore
import Membership
import Model
import PrometheusMetrics
import Replication

// The covey as numbers; nothing of it where a gateway stands alone.
extension CoveyDocument {
    func write(_ text: inout PrometheusText) {
        guard let cluster = core.cluster else { return }
        for (state, count) in members {
            text.gauge("covey_members", "Other gateways of the covey by their state.", count, [("state", state.word)])
        }
        text.gauge("covey_link_up", "Whether there is a way to peers.", link != nil)
        let lacking = cluster.replicator.underReplicated
        text.gauge(
            "covey_under_replicated_readings", "Readings that wait for copies on live gateways.", lacking.readings)
        text.gauge("covey_under_replicated_logs", "Logs with such readings.", lacking.logs)
        text.gauge(
            "covey_lacking_gateways_readings", "Readings on fewer disks than wanted, as fewer gateways are alive.",
            cluster.replicator.lackingGateways.readings)
        for entry in cluster.ignored.entries {
            text.counter(
                "covey_messages_ignored_total", "Genuine messages that could not be used.", entry.count,
                [("reason", entry.reason)])
        }
        if let link { write(link, &text) }
    }

    private func write(_ counts: LinkCounts, _ text: inout PrometheusText) {
        let traffic = [
            ("datagram", "sent", counts.datagramsSent, counts.datagramBytesSent),
            ("datagram", "received", counts.datagramsReceived, counts.datagramBytesReceived),
            ("frame", "sent", counts.framesSent, counts.frameBytesSent),
            ("frame", "received", counts.framesReceived, counts.frameBytesReceived),
        ]
        for (kind, way, messages, bytes) in traffic {
            let labels = [(name: "kind", value: kind), (name: "way", value: way)]
            text.counter("covey_link_messages_total", "Messages between peers.", messages, labels)
            text.counter("covey_link_bytes_total", "Bytes of these messages.", bytes, labels)
        }
        text.counter(
            "covey_link_datagrams_unsent_total", "Datagrams that could not be sent.", counts.datagramsUnsent)
        text.counter(
            "covey_link_datagrams_overrun_total", "Genuine datagrams that came faster than they are taken.",
            counts.datagramsOverrun)
        for (reason, count) in counts.refused.sorted(by: { $0.key < $1.key }) {
            text.counter(
                "covey_link_refused_total", "What strangers and broken senders sent.", count, [("reason", reason)])
        }
    }
}
