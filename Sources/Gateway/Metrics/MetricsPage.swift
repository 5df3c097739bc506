import Environment
import GatewayCore
import Logging
import MQTTLink
import Model
import Posix
import PrometheusMetrics
import RingLog
import Sinks
import Supervision
import SupervisionCore

/// The page that Prometheus scrapes: the status document as numbers, and beside it what only numbers can tell.
struct MetricsPage: Sendable {
    let status: StatusDocument
    let links: [(name: String, status: LinkStatus)]
    /// What waits in the queues between the parts, by queue.
    let queues: [(name: String, waiting: UInt64)]
    let process: ProcessFacts
    let instruments: Instruments
    let log: (written: [Logger.Level: UInt64], bySource: UInt64, byCeiling: UInt64)

    /// What stands for the devices that have no lines of their own.
    private static let others = "(others)"

    var bytes: [UInt8] {
        var text = PrometheusText()
        writeGateway(&text)
        writeLedger(&text)
        writeDevices(&text)
        for sink in status.core.sinks { writeSink(sink, &text) }
        writeRing(&text)
        writeTree(&text)
        writeBrokers(&text)
        status.covey?.write(&text)
        writeProcess(&text)
        for queue in queues {
            text.gauge("covey_queue_waiting", "Elements in a queue.", queue.waiting, [("queue", queue.name)])
        }
        for level in Logger.Level.allCases {
            text.counter(
                "covey_log_lines_total", "Log lines written.", log.written[level, default: 0],
                [("level", level.rawValue)])
        }
        for (limit, count) in [("source", log.bySource), ("ceiling", log.byCeiling)] {
            text.counter(
                "covey_log_lines_suppressed_total", "Log lines that were held back, to be told in one.", count,
                [("by", limit)])
        }
        instruments.exporter.write(into: &text)
        return text.bytes
    }

    private func writeGateway(_ text: inout PrometheusText) {
        let (health, reasons) = status.verdict
        text.gauge("covey_build_info", "The version that runs.", 1, [("version", status.version)])
        text.gauge(
            "covey_gateway_info", "Who this is.", 1,
            [("gateway", status.gateway), ("node", status.node.description)])
        text.gauge("covey_health", "0 ok, 1 degraded, 2 failed.", health.number)
        text.gauge("covey_health_reasons", "Sentences that covey status has for not being ok.", reasons.count)
        text.gauge("covey_uptime_seconds", "Since the gateway was opened.", status.uptime.inSeconds)
    }

    // MARK: Ledger

    private func writeLedger(_ text: inout PrometheusText) {
        let ledger = status.core.ledger
        write(ledger.total, waiting: ledger.totalWaiting, as: "covey_readings", [], &text)
        text.gauge("covey_ledger_balanced", "Whether every reading is accounted for.", ledger.isBalanced)
    }

    private func writeDevices(_ text: inout PrometheusText) {
        let ledger = status.core.ledger
        let devices = ledger.devices
        let shown = instruments.shown(of: devices)
        var rest = StreamCounts()
        var waiting: UInt64 = 0
        for device in devices {
            guard shown.contains(device) else {
                rest.add(ledger[device])
                waiting += ledger.waiting(device)
                continue
            }
            write(
                ledger[device], waiting: ledger.waiting(device), as: "covey_device_readings",
                [("device", device.rawValue)], &text)
        }
        text.gauge("covey_devices", "Streams of readings that the ledger knows.", devices.count)
        guard devices.contains(where: { !shown.contains($0) }) else { return }
        write(rest, waiting: waiting, as: "covey_device_readings", [("device", Self.others)], &text)
    }

    /// The first equation: received = waiting + stored + duplicate + rejected + dropped.
    private func write(
        _ counts: StreamCounts, waiting: UInt64, as name: String, _ labels: PrometheusText.Labels,
        _ text: inout PrometheusText
    ) {
        text.counter("\(name)_received_total", "Readings that arrived.", counts.received, labels)
        text.gauge("\(name)_waiting", "Readings on their way to the disk.", waiting, labels)
        text.counter("\(name)_stored_total", "Readings that became durable.", counts.stored, labels)
        text.counter("\(name)_duplicate_total", "Messages that were known already.", counts.duplicate, labels)
        for entry in counts.rejected.entries {
            text.counter(
                "\(name)_rejected_total", "Readings that could not be used.", entry.count,
                labels + [("reason", entry.reason)])
        }
        for entry in counts.dropped.entries {
            text.counter(
                "\(name)_dropped_total", "Readings that were given up.", entry.count,
                labels + [("reason", entry.reason)])
        }
    }

    // MARK: Sinks

    /// The second equation: stored = uploaded + pending + refused + evicted + damaged; and how the sink is.
    private func writeSink(_ sink: SinkState, _ text: inout PrometheusText) {
        let snapshot = sink.machine.snapshot(now: status.now)
        let labels = [(name: "sink", value: sink.name)]
        let counts = sink.machine.counts
        text.counter("covey_sink_readings_stored_total", "Readings that are this sink's.", counts.stored, labels)
        text.counter("covey_sink_readings_uploaded_total", "Readings that the sink took.", counts.uploaded, labels)
        text.gauge("covey_sink_readings_pending", "Readings that the sink is still to get.", counts.pending, labels)
        text.counter(
            "covey_sink_readings_refused_total", "Readings that the sink will not have.", counts.refused, labels)
        for entry in counts.evicted {
            text.counter(
                "covey_sink_readings_evicted_total", "Readings overwritten before the sink had them.", entry.count,
                labels + [("reason", entry.reason)])
        }
        text.counter(
            "covey_sink_readings_damaged_total", "Readings that the disk spoilt before the sink had them.",
            counts.damaged, labels)
        text.gauge("covey_sink_up", "Whether the sink takes readings.", snapshot.breaker == .closed, labels)
        text.gauge("covey_sink_failures_in_a_row", "Requests that failed since one did not.", snapshot.failures, labels)
        text.gauge(
            "covey_sink_retry_seconds", "Until the next attempt; 0 where nothing holds it back.",
            snapshot.retryIn?.inSeconds ?? 0, labels)
        for (lane, depth) in [("fresh", snapshot.fresh), ("back-fill", snapshot.backFill)] {
            let labels = labels + [("lane", lane)]
            text.gauge("covey_sink_lane_readings", "Readings that wait in a lane.", depth.pending, labels)
            text.gauge("covey_sink_lane_chunks", "Chunks of a lane that are on their way.", depth.chunks, labels)
        }
    }

    // MARK: Ring

    private func writeRing(_ text: inout PrometheusText) {
        let ring = status.core.ring.statistics
        let uses = [
            ("free", ring.freeSegments), ("hot", ring.hotSegments), ("cold", ring.coldSegments),
            ("retired", ring.retiredSegments), ("set-aside", ring.setAsideSegments),
        ]
        for (use, count) in uses {
            text.gauge("covey_ring_segments", "Segments of the ring by their use.", count, [("use", use)])
        }
        func counter(_ name: String, _ help: String, _ value: Int) {
            text.counter("covey_ring_\(name)_total", help, UInt64(max(0, value)))
        }
        counter("written_bytes", "Bytes written to the ring.", ring.bytesWritten)
        let wear = status.core.wear(now: status.now)
        counter("lifetime_written_bytes", "Bytes written since the ring was made.", Int(wear.bytes))
        counter("lifetime_syncs", "Syncs since the ring was made.", Int(wear.syncs))
        counter("commits", "Blocks that became durable.", ring.commits)
        counter("failed_commits", "Writes and syncs that the disk refused.", ring.failedCommits)
        counter("readings_stored", "Readings that became durable.", ring.readingsStored)
        counter("readings_merged", "Readings that were moved to denser blocks.", ring.readingsMerged)
        counter("readings_damaged", "Readings found damaged.", ring.damaged)
        counter("readings_restored", "Own readings found damaged that came back from peers.", ring.restored)
        counter(
            "scrubbed_bytes", "Bytes that were read to see whether they are whole.", status.core.scrub?.bytesRead ?? 0)
        counter(
            "readings_downsampled", "Readings that windows were stored for.", status.core.downsampling?.taken ?? 0)
        counter(
            "readings_of_windows", "Readings that were stored in their place.", status.core.downsampling?.given ?? 0)
        counter("readings_evicted_pending", "Readings overwritten before all sinks had them.", ring.evictedPending)
        counter("readings_evicted_uploaded", "Readings overwritten after all sinks had them.", ring.evictedUploaded)
        counter("readings_expired", "Readings given up for their age.", ring.expired)
        text.gauge("covey_ring_readings", "Readings that the ring holds.", ring.readingsHeld)
        text.gauge(
            "covey_ring_bytes_per_reading", "Bytes that the held readings take, each.", ring.bytesHeldPerReading)
        text.gauge(
            "covey_ring_pending_ratio", "The part of the ring that holds what no sink has, 0 to 1.",
            Double(status.core.pressure) / 100)
        text.gauge("covey_ring_readings_lost", "Own readings that damage has taken.", ring.lost)
        text.gauge("covey_ring_memory_only", "Whether readings stay in memory.", ring.memoryOnly != nil)
        text.gauge(
            "covey_ring_commit_age_seconds", "How long the disk has been busy with one commit; 0 where it is idle.",
            status.commitAge?.inSeconds ?? 0)
        if let oldest = ring.oldest {
            text.gauge(
                "covey_ring_oldest_reading_timestamp_seconds", "Unix time of the oldest reading held.",
                Double(oldest.rawValue) / 1000)
        }
    }

    // MARK: Tree

    private func writeTree(_ text: inout PrometheusText) {
        var rows: [(path: String, node: TreeNode)] = []
        flatten(status.tree, path: "", into: &rows)
        let devices = status.tree["devices"]?.children.compactMap { DeviceID(validating: $0.id) } ?? []
        let shown = Set(instruments.shown(of: devices).map { "\(status.tree.id)/devices/\($0)" })
        var states: [ChildStatus.State: Int] = [:]
        var others = (restarts: 0, stuck: 0, abandoned: 0)
        for (path, node) in rows {
            states[node.state, default: 0] += 1
            if path.hasPrefix("\(status.tree.id)/devices/"), !shown.contains(path) {
                others.restarts += node.restarts
                others.stuck += node.stuck
                others.abandoned += node.abandoned
                continue
            }
            write(path, (node.restarts, node.stuck, node.abandoned), &text)
            text.gauge(
                "covey_child_state", "1 for the state that the child is in.", 1,
                [("child", path), ("state", node.state.rawValue)])
        }
        if others != (0, 0, 0) { write("\(status.tree.id)/devices/\(Self.others)", others, &text) }
        for state in ChildStatus.State.allCases {
            text.gauge(
                "covey_children", "Children of the supervision tree by their state.", states[state, default: 0],
                [("state", state.rawValue)])
        }
    }

    private func flatten(_ node: TreeNode, path: String, into rows: inout [(path: String, node: TreeNode)]) {
        let path = path.isEmpty ? node.id : "\(path)/\(node.id)"
        rows.append((path, node))
        for child in node.children { flatten(child, path: path, into: &rows) }
    }

    private func write(
        _ path: String, _ counts: (restarts: Int, stuck: Int, abandoned: Int), _ text: inout PrometheusText
    ) {
        let labels = [(name: "child", value: path)]
        text.counter("covey_child_restarts_total", "Runs after the first.", UInt64(counts.restarts), labels)
        text.counter("covey_child_stuck_total", "Runs that gave no sign of life.", UInt64(counts.stuck), labels)
        text.counter(
            "covey_child_abandoned_total", "Runs that did not end when asked.", UInt64(counts.abandoned), labels)
    }

    // MARK: Brokers and the process

    private func writeBrokers(_ text: inout PrometheusText) {
        text.gauge(
            "covey_brokers_connected", "Brokers that are connected.",
            status.brokers.filter { $0.state == LinkState.connected.rawValue }.count)
        for (name, link) in links {
            let labels = [(name: "broker", value: name)]
            func counter(_ name: String, _ help: String, _ value: UInt64) {
                text.counter("covey_broker_\(name)_total", help, value, labels)
            }
            text.gauge(
                "covey_broker_connected", "Whether the broker is connected.", link.state == .connected, labels)
            text.gauge("covey_broker_silent", "Whether the broker has sent nothing for long.", link.isSilent, labels)
            text.gauge("covey_broker_messages_waiting", "Messages that wait for their commit.", link.waiting, labels)
            status.brokers.first { $0.name == name }?.shared?.write(labels, to: &text)
            counter("connections", "Connections that came about.", link.connects)
            counter("messages", "Messages acknowledged, or handed on at QoS 0.", link.messages)
            counter("received_bytes", "Bytes of payloads.", link.bytes)
            counter("redeliveries", "Messages that the broker said it had sent before.", link.redeliveries)
            counter("oversize_messages", "Messages that were too large.", link.oversize)
            counter("batches", "Commits of this broker's messages.", link.batches)
            counter("abandoned_batches", "Commits that failed, so that the broker sends again.", link.abandonedBatches)
        }
    }

    private func writeProcess(_ text: inout PrometheusText) {
        text.counter("process_cpu_seconds_total", "User and system time.", seconds: process.cpuSeconds)
        func gauge(_ name: String, _ help: String, _ value: (some BinaryInteger)?) {
            if let value { text.gauge("process_" + name, help, value) }
        }
        gauge("resident_memory_bytes", "Memory that is resident.", process.residentBytes)
        gauge("virtual_memory_bytes", "Memory that is mapped.", process.virtualBytes)
        gauge("threads", "Threads.", process.threads)
        gauge("open_fds", "Open descriptors.", process.openDescriptors)
        gauge("max_fds", "Descriptors that may be open.", process.descriptorLimit)
        if let start = process.startSeconds {
            text.gauge("process_start_time_seconds", "Unix time of the start.", start)
        }
    }
}

extension StatusDocument.Health {
    /// As `covey_health` tells it.
    fileprivate var number: Int {
        switch self {
        case .ok: 0
        case .degraded: 1
        case .failed: 2
        }
    }
}
