import Devices
import Model

/// What only shows when all sections are known: doubles, and readings that would come back.
struct CrossChecks {
    let findings: Findings
    let gateway: String
    let brokers: [Located<BrokerConfiguration>]
    let devices: [Located<DeviceConfiguration>]
    let uploads: [Located<UploadConfiguration>]
    let cluster: ClusterConfiguration?

    func run() {
        reportDoubles(of: devices, "two devices read") { device in
            guard case .gpio(let gpio) = device.source else { return nil }
            return switch gpio.line {
            case .number(let number): "line \(number) of \(gpio.chip)"
            case .name(let name): "line \(name) of \(gpio.chip)"
            }
        }
        reportDoubles(of: devices, "two devices take the topic") { device in
            guard case .mqtt(let mqtt) = device.source, let filter = Self.filter(mqtt.topic) else { return nil }
            return "\(filter.subscription) of broker \(mqtt.broker)"
        }
        reportDoubles(of: uploads, "two uploads go to") { Self.target($0.target) }
        reportDoubles(of: brokers, "two brokers have one client_id at the same address:") {
            "\($0.clientID) \($0.address)"
        }
        for upload in uploads { reportLoop(upload) }
        reportOwnTopics()
        for broker in brokers where cluster != nil { noteClientID(broker) }
        if uploads.isEmpty {
            findings.note(at: TextPosition(line: 1, column: 1), "there is no [[upload]]: readings stay on this gateway")
        }
    }

    private func reportDoubles<Part>(of parts: [Located<Part>], _ what: String, by key: (Part) -> String?) {
        var first: [String: TextPosition] = [:]
        for part in parts {
            guard let name = key(part.value) else { continue }
            if let place = first[name] {
                findings.fault(
                    at: part.position, "\(what) \(quotedName(name))",
                    suggestion: "the first begins on line \(place.line)")
            } else {
                first[name] = part.position
            }
        }
    }

    /// The configuration may be the same on all gateways of a covey but for their names.
    private func noteClientID(_ broker: Located<BrokerConfiguration>) {
        let id = broker.value.clientID
        guard broker.value.shared, id != "covey-\(gateway)" else { return }
        findings.note(
            at: broker.position,
            "client_id \(quoted(id)) must be this gateway's alone: another one that reads this broker with it throws this one out",
            suggestion: "leave client_id out: it follows from the gateway's name")
    }

    private func quotedName(_ name: String) -> String { name.contains(" ") ? name : quoted(name) }

    private static func filter(_ topic: String) -> TopicFilter? {
        do throws(TopicFilterError) { return try TopicFilter(topic) } catch { return nil }
    }

    private static func target(_ target: UploadConfiguration.Target) -> String? {
        switch target {
        case .http(let http): http.url
        case .mqtt(let mqtt): "\(mqtt.topic) of broker \(mqtt.broker)"
        case .file(let file): file.path
        }
    }

    /// A device that hears what an upload publishes would store it again, for ever.
    private func reportLoop(_ upload: Located<UploadConfiguration>) {
        guard case .mqtt(let target) = upload.value.target else { return }
        let topic = target.topic.split(separator: "{gateway}", omittingEmptySubsequences: false).joined(
            separator: gateway)
        for device in devices {
            guard case .mqtt(let source) = device.value.source, source.broker == target.broker,
                Self.filter(source.topic)?.match(topic) != nil
            else { continue }
            findings.fault(
                at: upload.position,
                "device \(quoted(device.value.id)) hears what this upload publishes: readings would go round",
                suggestion: "its section begins on line \(device.position.line)")
        }
    }

    private func reportOwnTopics() {
        for device in devices {
            guard case .mqtt(let source) = device.value.source,
                let broker = brokers.first(where: { $0.value.name == source.broker }), broker.value.publish,
                Self.filter(source.topic)?.match("covey/\(gateway)/device/metric") != nil
            else { continue }
            findings.fault(
                at: device.position,
                "the topic \(quoted(source.topic)) takes the gateway's own covey/\(gateway)/…: readings would go round",
                suggestion: "publish = false in [[broker]] \(quoted(source.broker)), or a narrower topic")
        }
    }
}
