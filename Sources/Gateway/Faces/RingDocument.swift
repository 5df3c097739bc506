import LogFormat
import Model
package import RingLog

/// The document of `/v1/ring` and of `covey ring info`: what a ring holds, by segments and log by log.
package struct RingDocument: Sendable {
    private let gateway: String
    private let node: String
    private let inventory: RingInventory
    private let recovery: [String]
    private let repair: RepairDocument?
    /// Of each log: the node id and the name of its gateway; empty where nobody here knows it.
    private let owner: @Sendable (RingInventory.Log) -> (node: String, gateway: String)

    package init(
        gateway: String, node: String, inventory: RingInventory, recovery: [String], repair: RepairDocument? = nil,
        owner: @escaping @Sendable (RingInventory.Log) -> (node: String, gateway: String)
    ) {
        self.gateway = gateway
        self.node = node
        self.inventory = inventory
        self.recovery = recovery
        self.repair = repair
        self.owner = owner
    }

    package var json: [UInt8] {
        var json = JSONWriter(reserving: 4096)
        json.object { json in
            json.member("gateway", gateway)
            json.member("node", node)
            let statistics = inventory.statistics
            json.key("bytes")
            json.integer(inventory.segments.reduce(0) { $0 + $1.count } * inventory.segmentBytes)
            json.key("segment_bytes")
            json.integer(inventory.segmentBytes)
            json.key("readings")
            json.integer(statistics.readingsHeld)
            json.key("copies")
            json.integer(statistics.copiesHeld)
            json.key("blocks")
            json.integer(statistics.blocks)
            json.key("bytes_per_reading")
            json.number(statistics.bytesHeldPerReading)
            write("oldest_t", statistics.oldest, to: &json)
            write("newest_t", inventory.newest, to: &json)
            json.key("segments")
            json.array { json in
                for group in inventory.segments { write(group, to: &json) }
            }
            json.key("logs")
            json.array { json in
                for log in inventory.logs { write(log, to: &json) }
            }
            json.list("recovery", recovery)
            json.key("repair")
            if let repair { repair.write(to: &json) } else { json.null() }
        }
        return json.bytes
    }

    private func write(_ name: String, _ time: Milliseconds?, to json: inout JSONWriter) {
        json.key(name)
        if let time { json.integer(time.rawValue) } else { json.null() }
    }

    private func write(_ group: RingInventory.Segments, to json: inout JSONWriter) {
        json.object { json in
            json.key("kind")
            switch group.kind {
            case .hot?: json.string("hot")
            case .cold?: json.string("cold")
            case nil: json.null()
            }
            json.member("state", group.state)
            json.key("count")
            json.integer(group.count)
            json.key("readings")
            json.integer(group.readings)
        }
    }

    private func write(_ log: RingInventory.Log, to json: inout JSONWriter) {
        let owner = owner(log)
        json.object { json in
            json.member("log", log.log.description)
            json.member("gateway", owner.gateway)
            json.member("node", owner.node)
            json.key("own")
            json.flag(log.isOwn)
            json.key("closed")
            json.flag(log.isClosed)
            json.key("readings")
            json.integer(log.readings)
            json.key("end")
            json.integer(log.end.rawValue)
            write("oldest_t", log.times?.lowerBound, to: &json)
            write("newest_t", log.times?.upperBound, to: &json)
            json.key("held")
            json.array { json in
                for range in log.held {
                    json.array { json in
                        json.integer(range.lowerBound.rawValue)
                        json.integer(range.upperBound.rawValue)
                    }
                }
            }
            json.key("gaps")
            json.array { json in
                for gap in log.gaps { write(gap, to: &json) }
            }
        }
    }

    private func write(_ gap: Gap, to json: inout JSONWriter) {
        json.object { json in
            json.key("first")
            json.integer(gap.range.lowerBound.rawValue)
            json.key("end")
            json.integer(gap.range.upperBound.rawValue)
            switch gap.reason {
            case .evicted: json.member("reason", "evicted")
            case .damaged: json.member("reason", "damaged")
            case .uploaded: json.member("reason", "uploaded")
            }
        }
    }
}
