import Model

/// Reads one `[[broker]]`.
struct BrokerReader {
    private let reader: TableReader
    private let gateway: String

    init(_ table: TOMLTable, findings: Findings, folder: String, gateway: String) {
        reader = TableReader(
            table, title: RootReader.title("broker", of: table, by: "name"), findings: findings, folder: folder)
        self.gateway = gateway
    }

    /// `nil` where the name or the address is missing or faulty.
    func read() -> BrokerConfiguration? {
        let name = reader.required("name", example: "name = \"local\"", Names.plain)
        let url = reader.required("url", example: "url = \"mqtt://127.0.0.1:1883\"", Address.broker)
        let tls = tlsFiles(url?.value)
        let username = reader.text("username")
        let passwordFile = reader.file("password_file", isSecret: true)
        if reader.has("password_file"), !reader.has("username") {
            reader.findings.fault(at: reader.keyPosition("password_file"), "`password_file` needs `username` beside it")
        }
        if let url, passwordFile != nil, !url.value.isTLS, !url.value.address.isLoopback {
            reader.findings.note(
                at: url.position, "the password travels in the clear to \(url.value.address)",
                suggestion: "use mqtts://")
        }
        let clientID = reader.value("client_id") { (item) throws(Unfit) in
            let text = try Read.text(item)
            guard text.utf8.count <= Bounds.nameBytes else {
                throw Unfit("must have \(Bounds.nameBytes) bytes at most")
            }
            return text
        }
        let version = reader.choice("version", default: MQTTVersion.automatic)
        let keepAlive = reader.duration("keep_alive", in: Bounds.keepAlive)
        let sessionExpiry = reader.duration("session_expiry", in: Bounds.sessionExpiry)
        let receiveMaximum = reader.integer(
            "receive_maximum", in: Bounds.receiveMaximum, default: Defaults.receiveMaximum)
        let silentAlarm = reader.duration("silent_alarm", in: Bounds.silentAlarm, words: [("off", .zero)])
        let publish = reader.flag("publish", default: true)
        let shared = reader.flag("shared", default: true)
        reader.finish(hints: [
            "password": "passwords live in a file of their own: password_file",
            "host": "write url = \"mqtt://HOST:PORT\"", "port": "write url = \"mqtt://HOST:PORT\"",
            "user": "did you mean `username`?", "tls": "write mqtts:// in `url`",
        ])
        guard let name, let url else { return nil }
        return BrokerConfiguration(
            name: name.value, address: url.value.address, tls: tls, username: username?.value,
            passwordFile: passwordFile,
            clientID: clientID?.value ?? "covey-\(gateway)", version: version,
            keepAlive: keepAlive ?? Defaults.keepAlive,
            sessionExpiry: sessionExpiry ?? Defaults.sessionExpiry, receiveMaximum: receiveMaximum,
            silentAlarm: Self.alarm(silentAlarm), publish: publish, shared: shared)
    }

    private func tlsFiles(_ url: (address: HostPort, isTLS: Bool)?) -> TLSFiles? {
        if let url, !url.isTLS {
            reader.rejectTLSKeys(scheme: "mqtts://")
            return nil
        }
        return reader.tlsFiles()
    }

    private static func alarm(_ duration: Duration?) -> Duration? {
        guard let duration else { return Defaults.silentAlarm }
        return duration == .zero ? nil : duration
    }
}

extension RootReader {
    /// `[[broker]] "local"`, or `[[broker]]` where the name is missing.
    static func title(_ section: String, of table: TOMLTable, by key: String) -> String {
        guard case .string(let name) = table[key]?.item.value, !name.isEmpty else { return "[[\(section)]]" }
        return "[[\(section)]] \(quoted(name))"
    }
}
