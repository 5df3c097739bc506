import ClusterLink
import ControlAPI
import GatewayCore
import Model
import Replication

/// What `status` tells of the covey beside its members: the way to them, what was passed over, and whether every log has its copies.
struct CoveyDocument: Sendable {
    let core: GatewayCore
    let address: PeerAddress
    /// `nil` while the link does not run.
    let link: LinkCounts?

    func write(to json: inout JSONWriter) {
        guard let cluster = core.cluster else { return json.null() }
        json.object { json in
            json.member("address", address.text)
            json.key("linked")
            json.flag(link != nil)
            json.key("under_replicated")
            let lacking = cluster.replicator.underReplicated
            json.object { json in
                json.member("logs", lacking.logs)
                json.member("readings", lacking.readings)
            }
            json.key("link")
            if let link { write(link, to: &json) } else { json.null() }
            // Messages that were genuine and could not be used, by reason.
            json.key("ignored")
            json.object { json in
                for entry in cluster.ignored.entries { json.member(entry.reason, entry.count) }
            }
        }
    }

    private func write(_ counts: LinkCounts, to json: inout JSONWriter) {
        json.object { json in
            json.member("datagrams_sent", counts.datagramsSent)
            json.member("datagram_bytes_sent", counts.datagramBytesSent)
            json.member("datagrams_received", counts.datagramsReceived)
            json.member("datagram_bytes_received", counts.datagramBytesReceived)
            json.member("datagrams_unsent", counts.datagramsUnsent)
            json.member("datagrams_overrun", counts.datagramsOverrun)
            json.member("frames_sent", counts.framesSent)
            json.member("frame_bytes_sent", counts.frameBytesSent)
            json.member("frames_received", counts.framesReceived)
            json.member("frame_bytes_received", counts.frameBytesReceived)
            json.key("refused")
            json.object { json in
                for (reason, count) in counts.refused.sorted(by: { $0.key < $1.key }) { json.member(reason, count) }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ count: some BinaryInteger) {
        key(name)
        integer(count)
    }
}
