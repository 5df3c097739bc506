import Glibc
import TestKit
import Testing

/// Brokers that are bad in a way of their own each, and one gateway that reads them all beside the good one.
final class BadBrokers: Sendable {
    let bench: Bench
    let absent: MosquittoBroker
    let restarts: MosquittoBroker
    let relay: Relay
    private let password: MosquittoBroker
    private let expired: MosquittoBroker
    private let name: MosquittoBroker
    private let web: HTTPReceiver
    private let refusing: ScriptedBroker
    private let hostile: ScriptedBroker
    private let certificates: Certificates

    init() async throws {
        absent = try MosquittoBroker()
        restarts = try MosquittoBroker()
        password = try MosquittoBroker()
        expired = try MosquittoBroker()
        name = try MosquittoBroker()
        web = HTTPReceiver()
        refusing = try ScriptedBroker(subscribed: 0x87, then: [])
        let topic: [UInt8] = Array("t/hostile".utf8) + [0xFF, 0xFE]
        hostile = try ScriptedBroker(
            subscribed: 1, then: [0x32, UInt8(topic.count + 6), 0, UInt8(topic.count)] + topic + [0, 5, 0, 0x31])
        certificates = try await Certificates.make(in: expired.directory)
        let passwords = "\(password.directory)/passwords"
        try MosquittoBroker.write("covey:right\n", to: passwords)
        let hashed = try ChildProcess("/usr/bin/mosquitto_passwd", ["-U", passwords])
        guard await hashed.ending() == .exited(0) else {
            throw ChildFailure(description: "mosquitto_passwd: \(hashed.log)")
        }
        try MosquittoBroker.write("wrong\n", to: "\(password.directory)/password")
        try password.configure(options: ["allow_anonymous false", "password_file \(passwords)"])
        for (broker, certificate) in [(expired, "expired"), (name, "client")] {
            try broker.configure(options: [
                "cafile \(certificates.authority)", "certfile \(certificates.certificate(certificate))",
                "keyfile \(certificates.key(certificate))",
            ])
        }
        for broker in [restarts, password, expired, name] { try await broker.start() }
        let webPort = try await web.start()
        // Taken and given back: nobody listens there.
        let closed = Relay(to: 1)
        closed.cut()
        let behind = try MosquittoBroker()
        steady = behind
        try await behind.start()
        relay = Relay(to: behind.port)
        let urls = [
            ("absent", "mqtt://127.0.0.1:\(absent.port)", ""), ("closed", "mqtt://127.0.0.1:\(closed.port)", ""),
            ("unknown", "mqtt://no-such-broker.invalid", ""),
            (
                "password", "mqtt://127.0.0.1:\(password.port)",
                "username = \"covey\"\npassword_file = \"\(password.directory)/password\""
            ),
            ("expired", "mqtts://127.0.0.1:\(expired.port)", "ca_file = \"\(certificates.authority)\""),
            ("name", "mqtts://127.0.0.1:\(name.port)", "ca_file = \"\(certificates.authority)\""),
            ("web", "mqtt://127.0.0.1:\(webPort)", ""), ("acl", "mqtt://127.0.0.1:\(refusing.port)", ""),
            ("hostile", "mqtt://127.0.0.1:\(hostile.port)", ""),
            ("restarts", "mqtt://127.0.0.1:\(restarts.port)", ""),
            ("halfopen", "mqtt://127.0.0.1:\(relay.port)", "keep_alive = \"5 s\""),
        ]
        let more = urls.map { Self.configuration(name: $0.0, url: $0.1, more: $0.2) }.joined()
        bench = Bench(try await Site(more: more))
    }

    /// What the relay leads to.
    private let steady: MosquittoBroker

    private static func configuration(name: String, url: String, more: String) -> String {
        """
        [[broker]]
        name    = "\(name)"
        url     = "\(url)"
        publish = false
        \(more)
        [[device]]
        id      = "at-\(name)"
        driver  = "mqtt"
        broker  = "\(name)"
        topic   = "t/\(name)"
        decoder = "number"

        """
    }

    /// Deletes what a broker that is not running had saved.
    func forget() {
        _ = unlink("\(restarts.directory)/mosquitto.db")
    }

    /// Where the device of a broker publishes.
    func port(of broker: String) -> Int? {
        switch broker {
        case "absent": absent.port
        case "restarts": restarts.port
        case "halfopen": steady.port
        default: nil
        }
    }

    func end() async {
        await bench.site.end()
        for broker in [absent, restarts, password, expired, name, steady] { await broker.stop() }
        await web.stop()
        certificates.remove()
        for file in ["password", "passwords"] { _ = unlink("\(password.directory)/\(file)") }
    }
}
