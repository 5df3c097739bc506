import ControlAPI
import Environment
import GatewayCore
import Model
import Sinks

// The uploads of `covey uploads --json`, an object each.
extension StatusDocument {
    func writeUploads(to json: inout JSONWriter) {
        json.array { json in
            for index in core.sinks.indices { write(core.sinks[index], core.duties(index, now: now), to: &json) }
        }
    }

    private func write(_ sink: SinkState, _ duties: UploadDuties, to json: inout JSONWriter) {
        let snapshot = sink.machine.snapshot(now: now)
        json.object { json in
            json.member("name", sink.name)
            json.member("state", snapshot.breaker.word)
            json.key("required")
            json.flag(sink.isRequired)
            snapshot.counts.write(to: &json)
            json.key("fresh")
            json.integer(snapshot.fresh.pending)
            json.key("back_fill")
            json.integer(snapshot.backFill.pending)
            json.key("fresh_lag_s")
            if let lag = snapshot.freshLag { json.number(lag.inSeconds) } else { json.null() }
            json.key("in_flight")
            json.integer(snapshot.fresh.chunks + snapshot.backFill.chunks)
            json.key("failures")
            json.integer(snapshot.failures)
            json.key("last_error")
            if let error = snapshot.lastError { json.string(error) } else { json.null() }
            json.key("retry_in_s")
            if let retry = snapshot.retryIn { json.number(retry.inSeconds) } else { json.null() }
            json.key("reason")
            if let reason = duties.reason { json.string(reason) } else { json.null() }
            json.key("relayed")
            Self.write(duties.relayed, to: &json)
            json.key("relayed_by")
            Self.write(duties.relayedBy, to: &json)
            json.key("refused_readings")
            json.array { json in
                for reading in snapshot.refused {
                    json.object { json in
                        json.member("log", reading.log.description)
                        json.key("offset")
                        json.integer(reading.offset.rawValue)
                        json.member("reason", reading.reason)
                    }
                }
            }
        }
    }
    private static func write(_ entries: [UploadDuties.Entry], to json: inout JSONWriter) {
        json.array { json in
            for entry in entries {
                json.object { json in
                    json.member("node", entry.gateway.node.description)
                    json.member("gateway", entry.gateway.name)
                    json.member("log", entry.log.description)
                    json.key("pending")
                    json.integer(Int64(clamping: entry.pending))
                }
            }
        }
    }
}

extension BreakerState {
    var word: String {
        switch self {
        case .closed: "ok"
        case .open: "down"
        case .halfOpen: "probing"
        }
    }
}
