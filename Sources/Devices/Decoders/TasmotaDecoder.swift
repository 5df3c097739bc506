import Model

/// `tasmota`: what Tasmota firmware publishes. The order of prefix and topic is the owner's choice there, so only a topic's last level
/// tells what a message is:
///
/// | last level | payload | gives |
/// |---|---|---|
/// | `SENSOR`, `STATE`, `RESULT`, `STATUS8`, … | a JSON object | its values by their paths; `Time` is the device's time |
/// | `POWER`, `POWER1`, … | `ON`, `OFF` | a flag named as the level |
/// | `LWT` | `Online`, `Offline` | the flag `LWT` |
///
/// `TempUnit`, `PressureUnit` and `SpeedUnit` are the units of the values beside them. A topic with a level `cmnd` is an order to the
/// device, not a reading. `null` is a sensor that has not answered yet, and is passed over unless the device names its path.
package struct TasmotaDecoder: Decoder {
    private let settings: DecoderSettings
    private let rules: LeafRules

    package init(_ settings: DecoderSettings = DecoderSettings()) {
        self.settings = settings
        rules = LeafRules(
            paths: settings.paths.map(LeafRules.NamedPath.init), remarks: Self.remarks, readsOnOff: true,
            allowsNull: true)
    }

    /// Status answers wrap what `SENSOR` and `STATE` carry bare.
    private static let remarks: [[UInt8]] = ["", "StatusSNS.", "StatusSTS."].flatMap { prefix in
        ["Time", "TempUnit", "PressureUnit", "SpeedUnit"].map { Array((prefix + $0).utf8) }
    }

    package func decode(_ message: Message) -> Decoded {
        do throws(Rejection) {
            let levels = message.topic.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            if levels.contains(where: { $0.elementsEqual("cmnd".utf8) }) {
                throw Rejection(.unknownTopic, "\(excerpt(message.topic.utf8)) is an order to the device")
            }
            let first = message.payload.first { $0 > 0x20 }
            if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") { return try document(message.payload) }
            return try plain(message.payload, metric: levels.last.map { String(decoding: $0, as: UTF8.self) } ?? "")
        } catch {
            return Decoded(rejections: [error])
        }
    }

    private func plain(_ payload: [UInt8], metric: String) throws(Rejection) -> Decoded {
        try checkText(payload)
        if PlainValue.trimmed(payload).isEmpty {
            throw Rejection(.empty, "payload of \(payload.count) bytes of white space")
        }
        guard (1...Limits.metricNameBytes).contains(metric.utf8.count) else {
            throw Rejection(.badName, "the topic's last level, \(excerpt(metric.utf8)), cannot name a metric")
        }
        let value = try PlainValue.read(payload)
        return Decoded(measurements: [Measurement(metric: metric, unit: settings.units[metric], value: value)])
    }

    private func document(_ payload: [UInt8]) throws(Rejection) -> Decoded {
        var leaves = try LeafCollector.collect(payload, rules: rules)
        var time: Milliseconds?
        var units = PayloadUnits()
        for remark in leaves.remarks {
            switch remark.path.suffix(4).elementsEqual("Time".utf8) {
            case true:
                time = DeviceTime.read(remark.value, zoneOffset: settings.zoneOffset, millisecondsPerUnit: 1000)
                if time == nil { leaves.reject(Rejection(.wrongType, "\(place(remark.path)): not a time")) }
            case false: units.take(remark)
            }
        }
        let measurements = leaves.found.map { leaf in
            Measurement(
                metric: leaf.metric, unit: settings.units[leaf.metric] ?? leaf.unit ?? units.unit(for: leaf),
                value: leaf.value, deviceTime: time)
        }
        return Decoded(measurements: measurements, rejections: leaves.rejections)
    }
}

/// The units that a Tasmota payload names, and those that its documentation fixes.
private struct PayloadUnits {
    private var temperature: String?
    private var pressure: String?
    private var speed: String?

    mutating func take(_ remark: LeafCollector.Remark) {
        guard case .text(let unit) = remark.value, (1...Limits.unitBytes).contains(unit.utf8.count) else { return }
        if remark.path.suffix(8).elementsEqual("TempUnit".utf8) {
            temperature = unit == "C" || unit == "F" ? "°" + unit : unit
        } else if remark.path.suffix(9).elementsEqual("SpeedUnit".utf8) {
            speed = unit
        } else {
            pressure = unit
        }
    }

    func unit(for leaf: LeafCollector.Found) -> String? {
        guard case .number = leaf.value else { return nil }
        // Phases of an energy meter are arrays: ENERGY.Voltage.0.
        var components = leaf.metric.utf8.split(separator: UInt8(ascii: "."))
        if components.count > 1, let last = components.last, last.allSatisfy({ (0x30...0x39).contains($0) }) {
            components.removeLast()
        }
        guard let name = components.last.flatMap({ String($0) }) else { return nil }
        switch name {
        case "Temperature", "DewPoint": return temperature
        case "Pressure", "SeaPressure": return pressure
        case "Humidity": return "%"
        case "Illuminance": return "lx"
        case "UptimeSec": return "s"
        default: break
        }
        guard components.count > 1, let group = String(components[components.count - 2]) else { return nil }
        switch (group, name) {
        case ("ENERGY", "Total"), ("ENERGY", "Yesterday"), ("ENERGY", "Today"): return "kWh"
        case ("ENERGY", "Power"): return "W"
        case ("ENERGY", "ApparentPower"): return "VA"
        case ("ENERGY", "ReactivePower"): return "var"
        case ("ENERGY", "Voltage"): return "V"
        case ("ENERGY", "Current"): return "A"
        case ("Wifi", "RSSI"): return "%"
        case ("Wifi", "Signal"): return "dBm"
        case ("Speed", "Act"), ("Speed", "Avg"), ("Speed", "Min"), ("Speed", "Max"): return speed
        default: return nil
        }
    }
}
