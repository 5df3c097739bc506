/// The form in which readings leave a gateway: a run of one log, contiguous from `base`.
package struct NativeBatch: Sendable {
    /// One reading with the time and quality it is told with: an anchor may have corrected what was stored.
    package struct Item: Hashable, Sendable {
        package let offset: Offset
        package let series: Series
        package let time: Milliseconds
        package let value: Value
        package let quality: Quality
        package let deviceTime: Milliseconds?

        package init(
            offset: Offset, series: Series, time: Milliseconds, value: Value, quality: Quality,
            deviceTime: Milliseconds? = nil
        ) {
            self.offset = offset
            self.series = series
            self.time = time
            self.value = value
            self.quality = quality
            self.deviceTime = deviceTime
        }
    }

    package let node: NodeID
    package let gateway: String
    package let log: LogID
    package let base: Offset
    package let items: [Item]

    package init(node: NodeID, gateway: String, log: LogID, base: Offset, items: [Item]) {
        self.node = node
        self.gateway = gateway
        self.log = log
        self.base = base
        self.items = items
    }

    package var count: Int { items.count }

    /// `NODE/LOG/BASE-COUNT`: a hint for the receiver; it removes doubles per reading.
    package var idempotencyKey: String { "\(node)/\(log)/\(base)-\(count)" }

    /// The JSON document of the contract, one line, UTF-8.
    package var json: [UInt8] {
        var writer = JSONWriter(reserving: 160 + items.count * 112)
        writer.object { writer in
            writer.key("v")
            writer.integer(1)
            writer.key("node")
            writer.string(node.description)
            writer.key("gateway")
            writer.string(gateway)
            writer.key("log")
            writer.string(log.description)
            writer.key("base")
            writer.integer(base.rawValue)
            writer.key("count")
            writer.integer(items.count)
            writer.key("readings")
            writer.array { writer in
                for item in items {
                    writer.object { item.write(to: &$0) }
                }
            }
        }
        return writer.bytes
    }
}

extension NativeBatch.Item {
    /// Writes the members of the reading's JSON object, so that a caller can add members of its own before or behind them.
    package func write(to writer: inout JSONWriter) {
        writer.key("offset")
        writer.integer(offset.rawValue)
        writer.key("device")
        writer.string(series.device.rawValue)
        writer.key("metric")
        writer.string(series.metric)
        if let unit = series.unit {
            writer.key("unit")
            writer.string(unit)
        }
        writer.key("t")
        writer.integer(time.rawValue)
        if let deviceTime {
            writer.key("device_t")
            writer.integer(deviceTime.rawValue)
        }
        writer.key("value")
        writer.value(value)
        writer.key("quality")
        writer.string(quality.word)
    }
}

extension JSONWriter {
    package mutating func value(_ value: Value) {
        switch value {
        case .number(let number): self.number(number)
        case .flag(let flag): self.flag(flag)
        case .text(let text): string(text)
        }
    }
}
