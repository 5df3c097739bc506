import Devices
import Model

extension GatewayConfiguration {
    /// The configuration as TOML, with every default written out; read again, it gives the same configuration. Holds no secrets, only
    /// the names of their files.
    package func describe() -> String {
        var writer = TOMLWriter()
        writer.section("[gateway]")
        writer.text("name", gateway.name)
        writer.text("data_dir", gateway.dataDirectory)
        writer.text("node", gateway.node?.description)
        writer.text("clock", gateway.clock.rawValue)
        writer.section("[api]")
        writer.text("socket", api.socket)
        writer.text("listen", api.listen?.description)
        writer.section("[storage]")
        writer.size("ring_size", storage.ringSize)
        writer.duration("commit_window", storage.commitWindow)
        writer.raw("acks", "\(storage.acks)", unit: "gateways")
        writer.text("when_full", storage.whenFull.rawValue)
        if storage.whenFull == .downsample { writer.duration("downsample_window", storage.downsampleWindow) }
        writer.duration("clock_wait", storage.clockWait)
        if let keep = storage.keep {
            writer.duration("keep", keep)
        } else {
            writer.none("keep", "until the room is needed")
        }
        if storage.scrubInterval > .zero {
            writer.duration("scrub_interval", storage.scrubInterval)
        } else {
            writer.text("scrub_interval", "off")
        }
        if let endurance = storage.cardEndurance {
            writer.size("card_endurance", endurance)
        } else {
            writer.none("card_endurance", "not known")
        }
        writer.section("[log]")
        writer.text("level", log.level.rawValue)
        for broker in brokers { broker.write(to: &writer) }
        for device in devices { device.write(to: &writer) }
        if let cluster { cluster.write(to: &writer) }
        for upload in uploads { upload.write(to: &writer) }
        return writer.output
    }
}

extension ClusterConfiguration {
    fileprivate func write(to writer: inout TOMLWriter) {
        writer.section("[cluster]")
        writer.text("listen", listen.description)
        writer.text("advertise", advertise?.description)
        writer.raw("seeds", "[" + seeds.map { TOMLWriter.quoted($0.description) }.joined(separator: ", ") + "]")
        writer.raw("mdns", "\(mdns)")
        writer.text("key_file", keyFile)
        writer.text("ca_file", certificates?.caFile)
        writer.text("cert_file", certificates?.certFile)
        writer.text("cert_key_file", certificates?.keyFile)
        switch replicas {
        case .all: writer.text("replicas", "all")
        case .count(let count): writer.raw("replicas", "\(count)")
        }
    }
}

extension TLSFiles {
    fileprivate func write(to writer: inout TOMLWriter) {
        writer.text("ca_file", caFile)
        writer.text("cert_file", certFile)
        writer.text("key_file", keyFile)
    }
}

extension BrokerConfiguration {
    fileprivate func write(to writer: inout TOMLWriter) {
        writer.section("[[broker]]")
        writer.text("name", name)
        writer.text("url", "\(tls == nil ? "mqtt" : "mqtts")://\(address)")
        tls?.write(to: &writer)
        writer.text("username", username)
        writer.text("password_file", passwordFile)
        writer.text("client_id", clientID)
        writer.text("version", version.rawValue)
        writer.duration("keep_alive", keepAlive)
        writer.duration("session_expiry", sessionExpiry)
        writer.raw("receive_maximum", "\(receiveMaximum)", unit: "messages")
        if let silentAlarm { writer.duration("silent_alarm", silentAlarm) } else { writer.text("silent_alarm", "off") }
        writer.raw("publish", "\(publish)")
        writer.raw("shared", "\(shared)")
    }
}

extension DeviceConfiguration {
    fileprivate func write(to writer: inout TOMLWriter) {
        writer.section("[[device]]")
        writer.text("id", id)
        writer.text("driver", source.driver.rawValue)
        switch source {
        case .mqtt(let mqtt): mqtt.write(to: &writer)
        case .gpio(let gpio): gpio.write(to: &writer)
        case .simulated(let simulated): simulated.write(to: &writer)
        }
        writer.duration("commit_window", commitWindow)
        writer.rate("max_rate", maximumRate)
        if let expectedInterval {
            writer.duration("expected_interval", expectedInterval)
        } else {
            writer.none("expected_interval", "never stale")
        }
        writer.raw("priority", "\(priority)", unit: "0 to 9; without effect so far")
    }
}

extension DeviceConfiguration.MQTTSource {
    fileprivate func write(to writer: inout TOMLWriter) {
        writer.text("broker", broker)
        writer.text("topic", topic)
        writer.text("decoder", decoder.rawValue)
        if decoder == .number {
            writer.text("metric", decoding.metric)
            writer.text("unit", decoding.unit)
        }
        if !decoding.paths.isEmpty { writer.raw("paths", paths) }
        if !decoding.units.isEmpty {
            let units = decoding.units.sorted { $0.key < $1.key }
            writer.raw("units", TOMLWriter.table(units.map { ($0.key, TOMLWriter.quoted($0.value)) }))
        }
        if decoder != .number { writer.text("time_zone", Self.zone(decoding.zoneOffset)) }
        if decoder == .zigbee2mqtt { writer.text("base_topic", decoding.baseTopic) }
    }

    private var paths: String {
        if decoding.paths.allSatisfy({ $0.metric == nil }) {
            return "[" + decoding.paths.map { TOMLWriter.quoted($0.path) }.joined(separator: ", ") + "]"
        }
        let entries = decoding.paths.map { path in
            var members = [("path", TOMLWriter.quoted(path.path))]
            if let unit = path.unit { members.append(("unit", TOMLWriter.quoted(unit))) }
            if let kind = path.kind { members.append(("kind", TOMLWriter.quoted(kind.rawValue))) }
            let value = members.count == 1 ? TOMLWriter.quoted(path.path) : TOMLWriter.table(members)
            return (path.metric ?? path.path, value)
        }
        return TOMLWriter.table(entries)
    }

    private static func zone(_ offset: Int) -> String {
        if offset == 0 { return "UTC" }
        let minutes = abs(offset) / 60
        let parts = [minutes / 60, minutes % 60].map { ($0 < 10 ? "0" : "") + String($0) }
        return (offset < 0 ? "-" : "+") + parts.joined(separator: ":")
    }
}

extension DeviceConfiguration.GPIOSource {
    fileprivate func write(to writer: inout TOMLWriter) {
        writer.text("chip", chip)
        switch line {
        case .number(let number): writer.raw("line", "\(number)")
        case .name(let name): writer.text("line", name)
        }
        writer.text("mode", mode.rawValue)
        writer.text("edge", edge.rawValue)
        writer.text("bias", bias.rawValue)
        writer.raw("active_low", "\(activeLow)")
        if edge != .none { writer.duration("debounce", debounce) }
        if mode != .level || edge == .none { writer.duration("interval", interval) }
    }
}

extension SimulatedSettings {
    fileprivate func write(to writer: inout TOMLWriter) {
        writer.text("metric", metric)
        writer.text("unit", unit)
        writer.text("wave", wave.rawValue)
        writer.duration("period", period)
        writer.raw("amplitude", "\(amplitude)")
        writer.raw("mean", "\(mean)")
        writer.raw("noise", "\(noise)")
        writer.duration("interval", interval)
        writer.raw("seed", "\(seed)")
    }
}

extension UploadConfiguration {
    fileprivate func write(to writer: inout TOMLWriter) {
        writer.section("[[upload]]")
        writer.text("name", name)
        writer.text("sink", target.sink.rawValue)
        switch target {
        case .http(let http):
            writer.text("url", http.url)
            if !http.headers.isEmpty {
                writer.raw("headers", TOMLWriter.table(http.headers.map { ($0.name, TOMLWriter.quoted($0.value)) }))
            }
            writer.text("token_file", http.tokenFile)
            http.tls.write(to: &writer)
            writer.raw("gzip", "\(http.gzip)")
            writer.duration("timeout", http.timeout)
        case .mqtt(let mqtt):
            writer.text("broker", mqtt.broker)
            writer.text("topic", mqtt.topic)
        case .file(let file):
            writer.text("path", file.path)
            writer.size("rotate_at", file.rotateAt)
        }
        writer.raw("required", "\(required)")
        writer.duration("linger", linger)
        writer.rate("max_rate", maximumRate)
        writer.raw("chunks_in_flight", "\(chunksInFlight)", unit: "chunks of 512 readings")
    }
}
