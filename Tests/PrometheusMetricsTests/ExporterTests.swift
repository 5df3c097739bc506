import CoreMetrics
import PrometheusMetrics
import TestKit
import Testing

@Suite("The metrics exporter")
struct ExporterTests {
    private func page(_ exporter: PrometheusExporter) -> [UInt8] {
        var text = PrometheusText()
        exporter.write(into: &text)
        return text.bytes
    }

    @Test("Every kind of instrument is written as the format wants it, in the order of names and labels")
    func golden() throws {
        let exporter = PrometheusExporter(descriptions: [
            "app_wait_seconds": .init("How long\nit took \\ waits.", buckets: [0.1, 1]),
            "app_requests_total": .init("Requests."),
        ])
        let timer = Timer(label: "app_wait", dimensions: [("to", "b")], factory: exporter)
        for nanoseconds: Int64 in [50_000_000, 100_000_000, 700_000_000, 3_000_000_000, -1] {
            timer.recordNanoseconds(nanoseconds)
        }
        Counter(label: "app_requests", dimensions: [("to", "b"), ("code", "200")], factory: exporter).increment(by: 7)
        Counter(label: "app_requests", dimensions: [("code", "200"), ("to", "a")], factory: exporter).increment(by: 2)
        Counter(label: "app_requests", dimensions: [("code", "200"), ("to", "a")], factory: exporter).increment(by: 3)
        FloatingPointCounter(label: "app.cpu_total", factory: exporter).increment(by: 0.25)
        let meter = Meter(label: "app_depth", factory: exporter)
        meter.set(5)
        meter.decrement(by: 7.5)
        let sizes = Recorder(label: "app_sizes", dimensions: [("le", "mine")], factory: exporter)
        sizes.record(3)
        sizes.record(100_000)
        sizes.record(Double.nan)
        sizes.record(Double.infinity)
        Gauge(label: "app_level", factory: exporter).record(2)

        let bytes = page(exporter)
        #expect(
            String(decoding: bytes, as: UTF8.self) == #"""
                # TYPE app_cpu_total counter
                app_cpu_total 0.25
                # TYPE app_depth gauge
                app_depth -2.5
                # TYPE app_level gauge
                app_level 2
                # HELP app_requests_total Requests.
                # TYPE app_requests_total counter
                app_requests_total{code="200",to="a"} 5
                app_requests_total{code="200",to="b"} 7
                # TYPE app_sizes histogram
                app_sizes_bucket{exported_le="mine",le="1"} 0
                app_sizes_bucket{exported_le="mine",le="4"} 1
                app_sizes_bucket{exported_le="mine",le="16"} 1
                app_sizes_bucket{exported_le="mine",le="64"} 1
                app_sizes_bucket{exported_le="mine",le="256"} 1
                app_sizes_bucket{exported_le="mine",le="1024"} 1
                app_sizes_bucket{exported_le="mine",le="4096"} 1
                app_sizes_bucket{exported_le="mine",le="16384"} 1
                app_sizes_bucket{exported_le="mine",le="+Inf"} 2
                app_sizes_sum{exported_le="mine"} 100003
                app_sizes_count{exported_le="mine"} 2
                # HELP app_wait_seconds How long\nit took \\ waits.
                # TYPE app_wait_seconds histogram
                app_wait_seconds_bucket{to="b",le="0.1"} 3
                app_wait_seconds_bucket{to="b",le="1"} 4
                app_wait_seconds_bucket{to="b",le="+Inf"} 5
                app_wait_seconds_sum{to="b"} 3.85
                app_wait_seconds_count{to="b"} 5
                # HELP covey_metrics_dropped_series Series that were asked for and not kept, for want of room or of one kind.
                # TYPE covey_metrics_dropped_series gauge
                covey_metrics_dropped_series 0

                """#)
        _ = try PrometheusPage(bytes)
        #expect(page(exporter) == bytes)
    }

    @Test("Label values of any text read back as they were, and names of any text are valid")
    func escaping() throws {
        let exporter = PrometheusExporter()
        let nasty = ["", "\"", "\\", "\n", "\\n", "a\"b\\c\nd", "Küche ☀", "{}=,", "\r\u{0}\u{1F}", " # TYPE x y"]
        for (index, text) in nasty.enumerated() {
            Counter(
                label: "c\(index) \(text)", dimensions: [("__v\(text)", text), ("1\(text)x", "y")], factory: exporter
            ).increment()
        }
        let families = try PrometheusPage(page(exporter)).families
        #expect(families.count == nasty.count + 1)
        for (index, text) in nasty.enumerated() {
            let sample = families.first { $0.name.hasPrefix("c\(index)_") }?.samples.first
            #expect(sample?.labels.values.sorted() == [text, "y"].sorted(), "\(text.debugDescription)")
        }
    }

    @Test("A label value without end is cut at a whole character")
    func cutsLabels() throws {
        let exporter = PrometheusExporter()
        Counter(label: "c", dimensions: [("v", String(repeating: "ä", count: 100_000))], factory: exporter).increment()
        let value = try PrometheusPage(page(exporter))["c_total"]?.samples.first?.labels["v"]
        #expect(value == String(repeating: "ä", count: 126) + "…")
    }

    @Test("Beyond the limit a series is measured into nothing and counted, and those that are there go on")
    func limits() throws {
        let exporter = PrometheusExporter(lines: 20)
        let first = Counter(label: "bomb", dimensions: [("topic", "0")], factory: exporter)
        for topic in 1..<10_000 {
            Counter(label: "bomb", dimensions: [("topic", String(topic))], factory: exporter).increment()
        }
        // A histogram takes all its lines or none.
        Timer(label: "wait", factory: exporter).recordNanoseconds(1)
        first.increment(by: 41)
        Counter(label: "bomb", dimensions: [("topic", "0")], factory: exporter).increment()
        let page = try PrometheusPage(page(exporter))
        #expect(page["bomb_total"]?.samples.count == 20)
        #expect(page["bomb_total"]?.samples.first?.value == 42)
        #expect(page["wait_seconds"] == nil)
        #expect(page["covey_metrics_dropped_series"]?.samples.first?.value == 9981)
    }

    @Test("One name has one kind, and nobody takes the names of a histogram's lines")
    func kinds() throws {
        let exporter = PrometheusExporter()
        Meter(label: "x", factory: exporter).set(1)
        Recorder(label: "x", factory: exporter).record(1)
        Timer(label: "t", factory: exporter).recordNanoseconds(1)
        Meter(label: "t_seconds_count", factory: exporter).set(1)
        Meter(label: "u_seconds_sum", factory: exporter).set(1)
        Timer(label: "u", factory: exporter).recordNanoseconds(1)
        Counter(label: "n", factory: exporter).increment()
        FloatingPointCounter(label: "n", factory: exporter).increment(by: 1)
        let page = try PrometheusPage(page(exporter))
        #expect(
            page.families.map(\.name) == ["covey_metrics_dropped_series", "n_total", "t_seconds", "u_seconds_sum", "x"])
        #expect(page["covey_metrics_dropped_series"]?.samples.first?.value == 4)
    }

    @Test("A destroyed series is gone with the last that held it, and makes room")
    func destroys() throws {
        let exporter = PrometheusExporter(lines: 1)
        let one = Counter(label: "c", dimensions: [("n", "1")], factory: exporter)
        let same = Counter(label: "c", dimensions: [("n", "1")], factory: exporter)
        one.destroy()
        #expect(try PrometheusPage(page(exporter))["c_total"] != nil)
        same.destroy()
        #expect(try PrometheusPage(page(exporter))["c_total"] == nil)
        Counter(label: "c", dimensions: [("n", "2")], factory: exporter).increment()
        #expect(try PrometheusPage(page(exporter))["c_total"]?.samples.first?.labels == ["n": "2"])
    }

    @Test("Nothing is lost when many tasks count, time, and scrape at once")
    func manyTasks() async throws {
        let exporter = PrometheusExporter()
        let (tasks, rounds) = (8, 2000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                group.addTask {
                    let counter = Counter(label: "c", factory: exporter)
                    let floating = FloatingPointCounter(label: "f", factory: exporter)
                    let timer = Timer(label: "t", factory: exporter)
                    for round in 0..<rounds {
                        counter.increment()
                        floating.increment(by: 0.5)
                        timer.recordNanoseconds(Int64(round) * 1_000_000)
                        if round % 500 == task { _ = try PrometheusPage(self.page(exporter)) }
                    }
                }
            }
            try await group.waitForAll()
        }
        let page = try PrometheusPage(page(exporter))
        #expect(page["c_total"]?.samples.first?.value == Double(tasks * rounds))
        #expect(page["f_total"]?.samples.first?.value == Double(tasks * rounds) / 2)
        #expect(page["t_seconds"]?.samples.last?.value == Double(tasks * rounds))
    }

    @Test(
        "Written values read back exactly",
        arguments: [0, -0.0, 1, 1e15, 1e300, Double.leastNonzeroMagnitude, 0.1, -2.5, .infinity, -.infinity])
    func values(value: Double) throws {
        var text = PrometheusText()
        text.gauge("v", "A value.", value)
        #expect(try PrometheusPage(text.bytes)["v"]?.samples.first?.value == value)
    }

    @Test(
        "The strict reader refuses what is not the format",
        arguments: [
            "", "x 1\n", "# TYPE x counter\nx 1\n", "# TYPE x gauge\n", "# TYPE x gauge\nx 1",
            "# TYPE x gauge\nx 1\nx 2\n", "# TYPE x gauge\ny 1\n", "# TYPE x gauge\nx{a=\"\\q\"} 1\n",
            "# TYPE x gauge\nx{a=\"1\",a=\"2\"} 1\n", "# TYPE x gauge\nx{__a=\"1\"} 1\n", "# TYPE x gauge\nx one\n",
            "# TYPE x gauge\nx inf\n", "# TYPE x gauge\nx 1\n# TYPE y gauge\ny 1\n# TYPE x gauge\nx 2\n",
            "# TYPE x histogram\nx_bucket{le=\"1\"} 1\nx_sum 1\nx_count 1\n",
            "# TYPE x histogram\nx_bucket{le=\"1\"} 2\nx_bucket{le=\"+Inf\"} 1\nx_sum 1\nx_count 1\n",
            "# TYPE x histogram\nx_bucket{le=\"+Inf\"} 1\nx_sum 1\nx_count 2\n", "# TYPE x gauge\n\nx 1\n",
        ])
    func strict(text: String) {
        #expect(throws: (any Error).self) { try PrometheusPage(Array(text.utf8)) }
    }
}
