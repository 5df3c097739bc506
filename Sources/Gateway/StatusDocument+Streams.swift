import GatewayCore
import Model
import Sinks

extension StatusDocument {
    /// Both equations of every stream: the first once, the second for each sink.
    func writeStreams(to json: inout JSONWriter) {
        let sinks = core.sinks.indices.map { index in
            Dictionary(uniqueKeysWithValues: (core.streams(at: index) ?? []).map { ($0.device, $0.counts) })
        }
        let devices = sinks.reduce(into: Set(core.ledger.devices)) { $0.formUnion($1.keys) }
        json.array { json in
            for device in devices.sorted() {
                json.object { json in
                    json.member("device", device.rawValue)
                    core.ledger[device].write(to: &json, waiting: core.ledger.waiting(device))
                    json.key("sinks")
                    json.object { json in
                        for (sink, streams) in zip(core.sinks, sinks) {
                            json.key(sink.name)
                            json.object { (streams[device] ?? UploadCounts()).write(to: &$0) }
                        }
                    }
                }
            }
        }
    }
}
