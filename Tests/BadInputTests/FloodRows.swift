import TestKit

/// Topics that name nobody, and devices that send too much, other than what a payload alone can do.
struct FloodRow: Sendable {
    let page: BadInput
    /// Lines of the log that may hold the message, at most.
    let lines: Int
    let publish: @Sendable (Bench) async throws -> Void

    init(
        _ thing: String, says message: String?, lines: Int = 1, _ counters: Counter..., do advice: String,
        publish: @escaping @Sendable (Bench) async throws -> Void
    ) {
        page = BadInput(source: .topic, thing: thing, message: message, counters: counters, advice: advice)
        self.lines = lines
        self.publish = publish
    }
}

extension FloodRow {
    /// What the devices of the other rows need, as TOML.
    static let configuration = """
        [[device]]
        id       = "quota-{device}"
        driver   = "mqtt"
        topic    = "quota/{device}"
        decoder  = "number"
        max_rate = "10/s"
        [[device]]
        id      = "series-{device}"
        driver  = "mqtt"
        topic   = "series/{device}"
        decoder = "json"

        """

    private static let good = Array("1".utf8)

    /// The last one leaves the gateway as full of devices as it can be.
    static let rows = [
        FloodRow(
            "1,000 bad messages of one device", says: "device noise: rejected (not-a-number)",
            Counter("ledger.streams.noise.rejected.not-a-number", .by(1000)),
            do: "See the sender; the ledger has the number, the log a line a minute.",
            publish: { try await $0.publish(Array(repeating: ("load/noise", Array("nan".utf8)), count: 1000)) }),
        FloodRow(
            "a device over its max_rate", says: "device quota-fast: sends more than its max_rate",
            Counter("ledger.streams.quota-fast.stored", .atLeast(100)),
            Counter("ledger.streams.quota-fast.dropped.quota", .atLeast(300)),
            do: "Mend the sender, or raise max_rate.",
            publish: { try await $0.publish(Array(repeating: ("quota/fast", good), count: 500)) }),
        FloodRow(
            "1,536 metrics of one device", says: "device series-many: rejected (too-many-series)",
            Counter("ledger.streams.series-many.stored", .by(1024)),
            Counter("ledger.streams.series-many.rejected.too-many-series", .by(512)),
            do: "Something that changes stands in the names: name the wanted paths.",
            publish: { try await $0.publish((0..<3).map { ("series/many", metrics($0)) }) }),
        FloodRow(
            "a level that can be no name: empty, with a space, of 200 bytes", says: "rejected (bad-name): ",
            Counter("ledger.streams.(unrouted).rejected.bad-name", .by(3)),
            do: "Give the sender another topic, or the device an id without {device}.",
            publish: { bench in
                let long = "load/" + String(repeating: "x", count: 200)
                try await bench.publish([("load/", good), ("load/living room", good), (long, good)])
            }),
        FloodRow(
            "a retained message, replayed at the subscription",
            says: "device retained: rejected (retained): replayed by the broker: \"load/retained\"",
            Counter("ledger.streams.retained.rejected.retained", .by(1)),
            do: "Nothing: it is the broker's memory, and no new reading.", publish: { _ in }),
        FloodRow(
            "QoS 0 and QoS 2, and the retain flag on something new", says: nil,
            Counter("ledger.streams.qos.stored", .by(30)),
            do: "Nothing is wrong. QoS 0 has no acknowledgement to wait for.",
            publish: { bench in
                for (qos, retain) in [(Int32(0), false), (2, false), (1, true)] {
                    let publisher = CountingPublisher(port: bench.site.broker.port, clientID: "qos-\(qos)")
                    try await publisher.publish(count: 10, qos: qos, retain: retain) { _ in ("load/qos", good) }
                }
            }),
        FloodRow(
            "100,000 devices that nobody knows", says: "rejected (too-many-devices): ",
            Counter("ledger.streams.(unrouted).rejected.too-many-devices", .atLeast(95_000)),
            do: "Narrow the filter of the {device}: 4096 devices are the limit, and those it knows go on.",
            publish: { bench in
                let publisher = CountingPublisher(port: bench.site.broker.port, clientID: "bomb", inFlight: 2000)
                try await publisher.publish(count: 100_000) { ("load/bomb-\($0)", good) }
            }),
    ]

    private static func metrics(_ part: Int) -> [UInt8] {
        Array("{\((part * 512..<part * 512 + 512).map { "\"m\($0)\":1" }.joined(separator: ","))}".utf8)
    }
}
