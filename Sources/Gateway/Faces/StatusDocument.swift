import Environment
import GatewayCore
import MQTTLink
import Model
import RingLog
import Sinks
import Supervision
import TOMLConfiguration
import SupervisionCore

/// The object of `covey status --json`: made from plain values, so that a test can make one too.
struct StatusDocument: Sendable {
    enum Health: String, Sendable {
        case ok, degraded, failed
    }

    struct BrokerState: Sendable {
        let name: String
        let state: String
        let error: String?
        let received: UInt64
        let batches: UInt64
        let connects: UInt64
        let failures: UInt64
        let sessionsForgotten: UInt64
        let refused: [RefusedFilter]
        /// `nil` where no other gateway may read it.
        let shared: SharedBrokerDocument?
    }

    let gateway: String
    let node: NodeID
    let version: String
    let uptime: Duration
    let core: GatewayCore
    let commitAge: Duration?
    let tree: TreeNode
    let brokers: [BrokerState]
    /// `nil` where there is no `[cluster]`.
    let covey: CoveyDocument?
    /// What was found when the gateway started, and what was set aside.
    let recovery: [String]
    let configuration: LiveConfiguration.State
    let now: MonotonicInstant

    /// A commit that takes longer than this says that the disk hangs.
    private static let hungDisk = Duration.seconds(5)

    var verdict: (health: Health, reasons: [String]) {
        var reasons: [String] = []
        if let memoryOnly = core.ring.statistics.memoryOnly { reasons.append("readings stay in memory: \(memoryOnly)") }
        if let commitAge, commitAge > Self.hungDisk {
            reasons.append("the disk has not answered for \(commitAge.text)")
        }
        let failed = !reasons.isEmpty
        for retired in core.retired {
            reasons.append("segment \(retired.segment) of the ring is not used any more: \(retired.reason)")
        }
        for broker in brokers where broker.state != "connected" && broker.state != "connecting" {
            reasons.append("broker \(broker.name) is \(broker.state)" + (broker.error.map { ": \($0)" } ?? ""))
        }
        for broker in brokers {
            for refused in broker.refused {
                reasons.append("broker \(broker.name) refuses \(refused.filter): \(refused.reason)")
            }
        }
        for sink in core.sinks {
            let snapshot = sink.machine.snapshot(now: now)
            if snapshot.breaker != .closed {
                reasons.append("sink \(sink.name) takes nothing" + (snapshot.lastError.map { ": \($0)" } ?? ""))
            }
        }
        reasons += covey?.reasons(now: now) ?? []
        reasons.append(contentsOf: Self.quarantined(tree))
        if let first = configuration.faults.first {
            let more = configuration.faults.count > 1 ? " (and \(configuration.faults.count - 1) more faults)" : ""
            reasons.append("the new configuration is not used: \(first)\(more)")
        }
        if !core.isBalanced { reasons.append("the ledger does not balance") }
        return (failed ? .failed : reasons.isEmpty ? .ok : .degraded, reasons)
    }

    private static func quarantined(_ node: TreeNode) -> [String] {
        let own =
            node.state == .quarantined ? ["\(node.id) is quarantined: \(node.lastFailure ?? "failed too often")"] : []
        return own + node.children.flatMap { quarantined($0) }
    }

    func write(to json: inout JSONWriter) {
        let (health, reasons) = verdict
        json.object { json in
            json.member("gateway", gateway)
            json.member("node", node.description)
            json.member("version", version)
            json.member("health", health.rawValue)
            json.list("reasons", reasons)
            json.key("uptime_s")
            json.integer(uptime.components.seconds)
            json.key("configuration")
            configuration.write(to: &json)
            json.key("ledger")
            writeLedger(to: &json)
            json.key("tree")
            tree.write(to: &json, now: now)
            json.key("ring")
            writeRing(to: &json)
            json.key("uploads")
            writeUploads(to: &json)
            json.key("brokers")
            json.array { json in
                for broker in brokers { broker.write(to: &json) }
            }
            json.key("peers")
            core.writePeers(to: &json, now: now)
            json.key("covey")
            if let covey { covey.write(to: &json) } else { json.null() }
        }
    }

    private func writeLedger(to json: inout JSONWriter) {
        json.object { json in
            core.ledger.total.write(to: &json, waiting: core.ledger.totalWaiting)
            json.key("balanced")
            json.flag(core.isBalanced)
            json.key("sinks")
            json.object { json in
                for sink in core.sinks {
                    json.key(sink.name)
                    json.object { sink.machine.counts.write(to: &$0) }
                }
            }
            json.key("streams")
            writeStreams(to: &json)
        }
    }

    private func writeRing(to json: inout JSONWriter) {
        let statistics = core.ring.statistics
        json.object { json in
            json.key("segments")
            json.integer(
                statistics.freeSegments + statistics.hotSegments + statistics.coldSegments + statistics.retiredSegments
                    + statistics.setAsideSegments)
            json.key("free")
            json.integer(statistics.freeSegments)
            json.key("hot")
            json.integer(statistics.hotSegments)
            json.key("cold")
            json.integer(statistics.coldSegments)
            json.key("bytes_written")
            json.integer(statistics.bytesWritten)
            json.key("commits")
            json.integer(statistics.commits)
            json.key("readings_stored")
            json.integer(statistics.readingsStored)
            json.key("readings")
            json.integer(statistics.readingsHeld)
            json.key("bytes_per_reading")
            json.number(statistics.bytesHeldPerReading)
            json.key("damaged")
            json.integer(statistics.damaged)
            json.key("restored")
            json.integer(statistics.restored)
            json.key("lost")
            json.integer(statistics.lost)
            json.key("scrub")
            writeScrub(to: &json)
            json.key("expired")
            json.integer(statistics.expired)
            json.key("pending_percent")
            json.integer(core.pressure)
            json.key("downsampling")
            writeDownsampling(to: &json)
            json.key("set_aside")
            json.integer(statistics.setAsideSegments)
            json.key("retired")
            json.integer(statistics.retiredSegments)
            json.key("retired_segments")
            json.array { json in
                for retired in core.retired {
                    json.object { json in
                        json.key("segment")
                        json.integer(retired.segment)
                        json.member("reason", retired.reason)
                    }
                }
            }
            json.key("memory_only")
            json.flag(statistics.memoryOnly != nil)
            json.key("oldest_t")
            if let oldest = statistics.oldest { json.integer(oldest.rawValue) } else { json.null() }
            json.list("recovery", recovery)
            json.key("wear")
            writeWear(to: &json)
        }
    }

    private func writeScrub(to json: inout JSONWriter) {
        guard let scrub = core.scrub else { return json.null() }
        json.object { json in
            json.key("interval_s")
            json.number(scrub.interval.inSeconds)
            json.key("passes")
            json.integer(scrub.passes)
            json.key("segments")
            json.integer(scrub.segmentsRead)
            json.key("bytes")
            json.integer(scrub.bytesRead)
            json.key("damaged")
            json.integer(scrub.damaged)
        }
    }

    private func writeDownsampling(to json: inout JSONWriter) {
        guard let downsampling = core.downsampling else { return json.null() }
        json.object { json in
            json.key("window_s")
            json.number(downsampling.window.inSeconds)
            json.key("segments")
            json.integer(downsampling.segments)
            json.key("readings_taken")
            json.integer(downsampling.taken)
            json.key("readings_given")
            json.integer(downsampling.given)
        }
    }

    private func writeWear(to json: inout JSONWriter) {
        let wear = core.wear(now: now)
        let endurance = configuration.current.storage.cardEndurance?.rawValue
        json.object { json in
            json.key("bytes")
            json.integer(Int(wear.bytes))
            json.key("syncs")
            json.integer(Int(wear.syncs))
            json.key("running_s")
            json.integer(Int(wear.seconds))
            json.key("bytes_per_day")
            if let rate = wear.bytesPerDay { json.number(rate.rounded()) } else { json.null() }
            json.key("card_endurance_bytes")
            if let endurance { json.integer(Int(endurance)) } else { json.null() }
            json.key("card_years")
            if let years = endurance.flatMap({ wear.years(endurance: $0) }) { json.number(years) } else { json.null() }
        }
    }
}

extension LiveConfiguration.State {
    fileprivate func write(to json: inout JSONWriter) {
        json.object { json in
            json.key("since_t")
            json.integer(since.rawValue)
            json.list("faults", faults)
            json.list("waits_for_restart", waiting)
        }
    }
}

extension StatusDocument.BrokerState {
    func write(to json: inout JSONWriter) {
        json.object { json in
            json.member("name", name)
            json.member("state", state)
            json.key("error")
            if let error { json.string(error) } else { json.null() }
            json.key("received")
            json.integer(received)
            json.key("batches")
            json.integer(batches)
            json.key("connects")
            json.integer(connects)
            json.key("failures")
            json.integer(failures)
            json.key("sessions_forgotten")
            json.integer(sessionsForgotten)
            json.key("refused")
            json.array { json in
                for refused in refused {
                    json.object { json in
                        json.member("filter", refused.filter)
                        json.member("reason", refused.reason)
                    }
                }
            }
            json.key("shared")
            if let shared { shared.write(to: &json) } else { json.null() }
        }
    }
}

extension StreamCounts {
    func write(to json: inout JSONWriter, waiting: UInt64) {
        json.key("received")
        json.integer(received)
        json.key("waiting")
        json.integer(waiting)
        json.key("stored")
        json.integer(stored)
        json.key("duplicate")
        json.integer(duplicate)
        json.counts("rejected", rejected)
        json.counts("dropped", dropped)
    }
}

extension UploadCounts {
    func write(to json: inout JSONWriter) {
        json.key("stored")
        json.integer(stored)
        json.key("uploaded")
        json.integer(uploaded)
        json.key("pending")
        json.integer(pending)
        json.key("refused")
        json.integer(refused)
        json.key("evicted")
        json.object { json in
            for entry in evicted {
                json.key(entry.reason)
                json.integer(entry.count)
            }
        }
        json.key("damaged")
        json.integer(damaged)
    }
}

extension JSONWriter {
    mutating func member(_ name: String, _ text: String) {
        key(name)
        string(text)
    }

    mutating func list(_ name: String, _ texts: [String]) {
        key(name)
        array { json in
            for text in texts { json.string(text) }
        }
    }

    mutating func counts(_ name: String, _ counts: ReasonCounts) {
        key(name)
        object { json in
            for entry in counts.entries {
                json.key(entry.reason)
                json.integer(entry.count)
            }
        }
    }
}
