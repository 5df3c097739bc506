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
    private let refusing: RefusingBroker
    private let certificates: Certificates

    init() async throws {
        absent = try MosquittoBroker()
        restarts = try MosquittoBroker()
        password = try MosquittoBroker()
        expired = try MosquittoBroker()
        name = try MosquittoBroker()
        web = HTTPReceiver()
        refusing = try RefusingBroker()
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

/// Answers as a broker of MQTT 5 whose access list allows nothing.
private final class RefusingBroker: Sendable {
    let port: Int
    private let listener: Descriptor

    init() throws {
        let listener = Descriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener.number, $0, length) == 0 && listen(listener.number, 16) == 0
                    && getsockname(listener.number, $0, &length) == 0
            }
        }
        guard isBound else { throw ChildFailure(description: "no port: \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        startThread {
            while case let accepted = accept(listener.number, nil, nil), accepted >= 0 {
                let connection = Descriptor(accepted)
                startThread { Self.serve(connection) }
            }
        }
    }

    deinit { listener.shutdown() }

    /// Packets of a small client come whole.
    private static func serve(_ connection: Descriptor) {
        var packet = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(connection.number, &packet, packet.count, 0), count > 0 {
            let answer: [UInt8]
            switch packet[0] >> 4 {
            case 1: answer = [0x20, 3, 0, 0, 0]
            case 8: answer = [0x90, 4, packet[2], packet[3], 0, 0x87]
            case 12: answer = [0xD0, 0]
            default: continue
            }
            _ = send(connection.number, answer, answer.count, Int32(MSG_NOSIGNAL))
        }
    }
}
