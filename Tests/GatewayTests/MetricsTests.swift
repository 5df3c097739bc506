import FoundationEssentials
import PrometheusMetrics
import TestKit
import Testing

@testable import Gateway

@Suite("A gateway that is scraped", .serialized)
struct MetricsTests {
    @Test(
        "The page of metrics is strict text format, the same over both doors, and agrees with covey status to the reading"
    )
    func agreesWithStatus() async throws {
        let port = try MosquittoBroker.freePort()
        let site = try await Site()
        let text = try String(contentsOfFile: site.configuration, encoding: .utf8)
        try MosquittoBroker.write(
            text.replacing("[api]\n", with: "[api]\nlisten = \"127.0.0.1:\(port)\"\n"), to: site.configuration)
        try await site.start()
        let publisher = CountingPublisher(port: site.broker.port, clientID: "mixed")
        let payloads = ["1", "nan", "2", "", "3"]
        try await publisher.publish(count: 300) { ("load/p\($0 % 3)", Array(payloads[$0 % payloads.count].utf8)) }
        await site.receiver.waitForReadings(180)
        var status = try await site.status()
        while status.ledger.sinks["cloud"]?.pending != 0 { status = try await site.status() }

        let answer = try await HTTPGet.get("/metrics", port: port)
        #expect(answer.status == 200)
        #expect(answer.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"))
        let page = try PrometheusPage(answer.body)
        try expect(page, toAgreeWith: status)

        let other = try PrometheusPage(try await HTTPGet.get("/metrics", socket: site.directory + "/covey.sock").body)
        #expect(other.families.map(\.name) == page.families.map(\.name))
        #expect(other["covey_readings_received_total"]?.samples == page["covey_readings_received_total"]?.samples)

        // What is live has seen what the state tells.
        #expect(page["covey_commit_readings"]?.samples.first { $0.name.hasSuffix("_sum") }?.value == 180)
        let messages = page["covey_broker_batch_messages"]?.samples.first { $0.name.hasSuffix("_sum") }
        #expect(messages?.value == 300)
        let requests = page["covey_sink_request_duration_seconds"]?.samples.filter {
            $0.name.hasSuffix("_count") && $0.labels["outcome"] == "accepted"
        }
        #expect((requests?.first?.value ?? 0) >= 1)
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            #expect((page[name]?.samples.first?.value ?? 0) > 0, "\(name)")
        }
        #expect(page["covey_metrics_dropped_series"]?.samples.first?.value == 0)
        await site.end()
    }

    @Test("/healthz is 200 with the reasons while a broker is away, and every metric's name is in the documentation")
    func healthAndNames() async throws {
        let site = try await Site()
        try await site.start()
        let socket = site.directory + "/covey.sock"
        let well = try await HTTPGet.get("/healthz", socket: socket)
        #expect(well.status == 200)
        #expect(String(decoding: well.body, as: UTF8.self) == #"{"health":"ok","reasons":[]}"#)
        await site.broker.stop()
        #expect(await site.gateway?.waitForLog(containing: "broker local: ") == true)
        var body = ""
        while !body.contains("broker local is waiting") {
            let answer = try await HTTPGet.get("/healthz", socket: socket)
            #expect(answer.status == 200)
            body = String(decoding: answer.body, as: UTF8.self)
        }
        #expect(body.contains(#""health":"degraded""#))

        let page = try PrometheusPage(try await HTTPGet.get("/metrics", socket: socket).body)
        #expect(page["covey_broker_connected"]?.samples.first?.value == 0)
        let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let words = try String(contentsOfFile: "/\(folder)/Documentation/Metrics.md", encoding: .utf8)
        for family in page.families {
            #expect(words.contains("`\(family.name)"), "\(family.name) is not in Documentation/Metrics.md")
            #expect(family.help?.hasSuffix(".") == true, "\(family.name) has no help")
        }
        await site.end()
    }

    @Test("A broker that a reload brings is measured like those of the start")
    func newBroker() throws {
        let instruments = Instruments(brokers: ["old"], sinks: [])
        for broker in ["old", "new", "new"] {
            instruments.acknowledged(3, of: broker, window: .milliseconds(50))
        }
        var text = PrometheusText()
        instruments.exporter.write(into: &text)
        let samples = try PrometheusPage(text.bytes)["covey_broker_batch_messages"]?.samples ?? []
        let sums = samples.filter { $0.name.hasSuffix("_sum") }.map { ($0.labels["broker"], $0.value) }
        #expect(sums.map(\.0) == ["new", "old"])
        #expect(sums.map(\.1) == [6, 3])
    }

    private func expect(_ page: PrometheusPage, toAgreeWith status: Status) throws {
        func value(_ name: String, _ labels: [String: String] = [:]) -> Int? {
            page[name]?.samples.first { $0.labels == labels }.map { Int($0.value) }
        }
        func sum(_ name: String) -> Int { Int((page[name]?.samples ?? []).reduce(0) { $0 + $1.value }) }
        let ledger = status.ledger
        #expect(ledger.received == 300)
        #expect(value("covey_readings_received_total") == ledger.received)
        #expect(value("covey_readings_waiting") == ledger.waiting)
        #expect(value("covey_readings_stored_total") == ledger.stored)
        #expect(value("covey_readings_duplicate_total") == ledger.duplicate)
        for (reason, count) in ledger.rejected {
            #expect(value("covey_readings_rejected_total", ["reason": reason]) == count)
        }
        #expect(sum("covey_readings_rejected_total") == 120)
        #expect(sum("covey_device_readings_rejected_total") == 120)
        for stream in ledger.streams {
            #expect(value("covey_device_readings_received_total", ["device": stream.device]) == stream.received)
            #expect(value("covey_device_readings_stored_total", ["device": stream.device]) == stream.stored)
        }
        for (name, sink) in ledger.sinks {
            let label = ["sink": name]
            #expect(value("covey_sink_readings_stored_total", label) == sink.stored)
            #expect(value("covey_sink_readings_uploaded_total", label) == sink.uploaded)
            #expect(value("covey_sink_readings_pending", label) == sink.pending)
            #expect(value("covey_sink_readings_refused_total", label) == sink.refused)
            #expect(value("covey_sink_readings_damaged_total", label) == sink.damaged)
            #expect(value("covey_sink_up", label) == 1)
        }
        #expect(sum("covey_ring_segments") == status.ring.segments)
        #expect(value("covey_health") == 0)
        #expect(value("covey_ledger_balanced") == 1)
        #expect(value("covey_broker_connected", ["broker": "local"]) == 1)
        #expect(value("covey_gateway_info", ["gateway": status.gateway, "node": status.node]) == 1)
        #expect(value("covey_child_state", ["child": "covey/brokers/local/ingest", "state": "running"]) == 1)
        #expect(value("covey_child_state", ["child": "covey/devices/p0", "state": "running"]) == 1)
    }
}
