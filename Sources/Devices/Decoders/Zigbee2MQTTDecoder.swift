import Model

/// `zigbee2mqtt`: states of devices as Zigbee2MQTT publishes them under its base topic.
///
/// | topic behind the base topic | gives |
/// |---|---|
/// | `NAME` (a friendly name may hold `/`) | the document's values by their paths; `last_seen` is the device's time |
/// | `NAME/availability`, `bridge/state` | the flag `availability` or `state`, from `online` or `{"state":"online"}` |
/// | `bridge/…`, `NAME/set`, `NAME/get` | `unknown-topic`: news of the bridge and orders to devices are no readings |
///
/// `null` is a value that the device has not reported yet, and is passed over unless the device's configuration names its path.
package struct Zigbee2MQTTDecoder: Decoder {
    private let settings: DecoderSettings
    private let rules: LeafRules
    private let base: [UInt8]

    package init(_ settings: DecoderSettings = DecoderSettings()) {
        self.settings = settings
        base = Array((settings.baseTopic + "/").utf8)
        rules = LeafRules(
            paths: settings.paths.map(LeafRules.NamedPath.init), remarks: [Array("last_seen".utf8)], readsOnOff: true,
            allowsNull: true)
    }

    package func decode(_ message: Message) -> Decoded {
        do throws(Rejection) {
            let topic = message.topic.utf8
            guard topic.starts(with: base) else {
                throw Rejection(.unknownTopic, "\(excerpt(topic)) is not below \(excerpt(base.dropLast()))")
            }
            let name = topic.dropFirst(base.count)
            let last = name.suffix(while: { $0 != UInt8(ascii: "/") })
            if name.elementsEqual("bridge/state".utf8) { return try availability(message.payload, metric: "state") }
            if name.starts(with: "bridge/".utf8) {
                throw Rejection(.unknownTopic, "\(excerpt(topic)) is news of the bridge")
            }
            if last.count < name.count {
                if last.elementsEqual("availability".utf8) {
                    return try availability(message.payload, metric: "availability")
                }
                if last.elementsEqual("set".utf8) || last.elementsEqual("get".utf8) {
                    throw Rejection(.unknownTopic, "\(excerpt(topic)) is an order to the device")
                }
            }
            return try document(message.payload)
        } catch {
            return Decoded(rejections: [error])
        }
    }

    private func availability(_ payload: [UInt8], metric: String) throws(Rejection) -> Decoded {
        try checkText(payload)
        var word = Value.text(String(decoding: PlainValue.trimmed(payload), as: UTF8.self))
        if payload.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") {
            let leaves = try LeafCollector.collect(
                payload, rules: LeafRules(paths: [.init(PathSetting(path: "state"))]))
            if let rejection = leaves.rejections.first { throw rejection }
            if let found = leaves.found.first { word = found.value }
        }
        switch word {
        case .text("online"): return Decoded(measurements: [Measurement(metric: metric, value: .flag(true))])
        case .text("offline"): return Decoded(measurements: [Measurement(metric: metric, value: .flag(false))])
        case .text(""): throw Rejection(.empty, "no word in the payload")
        case .text(let text): throw Rejection(.wrongType, "\(excerpt(text.utf8)) is neither online nor offline")
        default: throw Rejection(.wrongType, "$.state: neither online nor offline")
        }
    }

    private func document(_ payload: [UInt8]) throws(Rejection) -> Decoded {
        var leaves = try LeafCollector.collect(payload, rules: rules)
        var time: Milliseconds?
        if let remark = leaves.remarks.last {
            time = DeviceTime.read(remark.value, zoneOffset: settings.zoneOffset, millisecondsPerUnit: 1)
            if time == nil { leaves.reject(Rejection(.wrongType, "\(place(remark.path)): not a time")) }
        }
        let measurements = leaves.found.map { leaf in
            Measurement(
                metric: leaf.metric, unit: settings.units[leaf.metric] ?? leaf.unit ?? Self.unit(for: leaf),
                value: leaf.value, deviceTime: time)
        }
        return Decoded(measurements: measurements, rejections: leaves.rejections)
    }

    /// The units that the documentation gives these names on every device. `voltage` (mV or V), `illuminance` (raw or lx) and `voc`
    /// differ from device to device, so they have none until the configuration says one.
    private static func unit(for leaf: LeafCollector.Found) -> String? {
        guard case .number = leaf.value else { return nil }
        return switch leaf.metric {
        case "temperature", "device_temperature", "local_temperature", "occupied_heating_setpoint": "°C"
        case "humidity", "soil_moisture", "battery": "%"
        case "pressure": "hPa"
        case "linkquality": "lqi"
        case "illuminance_lux": "lx"
        case "co2": "ppm"
        case "pm25": "µg/m³"
        case "power": "W"
        case "current": "A"
        case "energy": "kWh"
        default: nil
        }
    }
}

extension BidirectionalCollection {
    /// The longest end of the collection whose elements all satisfy `predicate`.
    fileprivate func suffix(while predicate: (Element) -> Bool) -> SubSequence {
        var start = endIndex
        while start > startIndex, case let previous = index(before: start), predicate(self[previous]) {
            start = previous
        }
        return self[start...]
    }
}
