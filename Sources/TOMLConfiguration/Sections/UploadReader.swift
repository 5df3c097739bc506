import Model

/// Reads one `[[upload]]`.
struct UploadReader {
    private let reader: TableReader
    /// The brokers that the file describes.
    private let brokers: BrokerNames

    init(_ table: TOMLTable, findings: Findings, folder: String, brokers: BrokerNames) {
        reader = TableReader(
            table, title: RootReader.title("upload", of: table, by: "name"), findings: findings, folder: folder)
        self.brokers = brokers
    }

    private static let later = ["influx", "postgres", "mqtt-sn", "kafka", "nats", "s3"]
    private static let httpKeys = [
        "url", "headers", "token_file", "ca_file", "cert_file", "key_file", "gzip", "timeout",
    ]
    private static let mqttKeys = ["broker", "topic"]
    private static let fileKeys = ["path", "rotate_at"]

    /// `nil` where the name or what the sink needs is missing or faulty.
    func read() -> UploadConfiguration? {
        let name = reader.required("name", example: "name = \"cloud\"", Names.plain)
        let kind = reader.required("sink", example: "sink = \"http\"") { (item) throws(Unfit) in
            try Read.choice(item, UploadConfiguration.SinkKind.self, later: Self.later)
        }
        let required = reader.flag("required", default: true)
        let linger = reader.duration("linger", in: Bounds.linger)
        let maximumRate = reader.rate("max_rate")
        let chunks = reader.integer(
            "chunks_in_flight", in: Bounds.chunksInFlight, default: Limits.chunksInFlight)
        guard let kind else {
            reader.finish(unless: "sink", is: Self.later, accepting: Self.httpKeys + Self.mqttKeys + Self.fileKeys)
            return nil
        }
        let target = target(kind.value)
        reader.finish(foreign: Self.foreign(to: kind.value), hints: ["token": "tokens live in a file: token_file"])
        guard let name, let target else { return nil }
        return UploadConfiguration(
            name: name.value, target: target, required: required, linger: linger ?? Defaults.linger,
            maximumRate: maximumRate, chunksInFlight: chunks)
    }

    private static func foreign(to kind: UploadConfiguration.SinkKind) -> [(keys: [String], owner: String)] {
        let owners = [
            (UploadConfiguration.SinkKind.http, httpKeys), (.mqtt, mqttKeys), (.file, fileKeys),
        ]
        return owners.filter { $0.0 != kind }.map { (keys: $0.1, owner: "sink = \"\($0.0.rawValue)\"") }
    }

    private func target(_ kind: UploadConfiguration.SinkKind) -> UploadConfiguration.Target? {
        switch kind {
        case .http: http().map { .http($0) }
        case .mqtt: mqtt().map { .mqtt($0) }
        case .file: file().map { .file($0) }
        }
    }

    private func http() -> UploadConfiguration.HTTPTarget? {
        let url = reader.required("url", example: "url = \"https://ingest.example/v1/readings\"", Address.http)
        let headers = reader.value("headers", Self.headers)
        let tokenFile = reader.file("token_file", isSecret: true)
        var tls = TLSFiles()
        if let url, !url.value.isTLS {
            reader.rejectTLSKeys(scheme: "https://")
        } else {
            tls = reader.tlsFiles()
        }
        let gzip = reader.flag("gzip", default: false)
        let timeout = reader.duration("timeout", in: Bounds.timeout)
        guard let url else { return nil }
        if tokenFile != nil, !url.value.isTLS, !Self.isLoopback(url.value.url) {
            reader.findings.note(at: url.position, "the token travels in the clear", suggestion: "use https://")
        }
        return UploadConfiguration.HTTPTarget(
            url: url.value.url, headers: headers?.value ?? [], tokenFile: tokenFile, tls: tls, gzip: gzip,
            timeout: timeout ?? Defaults.timeout)
    }

    private static func isLoopback(_ url: String) -> Bool {
        guard let host = Address.parts(url).flatMap({ Address.split($0.authority) })?.host else { return false }
        return HostPort(host: host, port: 1).isLoopback
    }

    /// Headers that the sink sets itself.
    private static let reserved = [
        "content-type", "content-length", "content-encoding", "transfer-encoding", "host", "connection",
        "idempotency-key",
    ]

    private static func headers(_ item: TOMLItem) throws(Unfit) -> [UploadConfiguration.Header] {
        guard case .table(let table) = item.value else {
            throw Unfit("must be a table, not \(item.description)", suggestion: "headers = { X-Site = \"north\" }")
        }
        guard table.entries.count <= Bounds.headers else { throw Unfit("may hold \(Bounds.headers) headers at most") }
        var headers: [UploadConfiguration.Header] = []
        for entry in table.entries {
            let isToken = entry.key.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (97...122).contains(byte | 0x20) && byte >= 65
                    || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
            guard isToken, !entry.key.isEmpty else {
                throw Unfit("holds \(quoted(entry.key)), which is no header's name")
            }
            guard !reserved.contains(entry.key.lowercased()) else {
                throw Unfit("must not hold \(entry.key)", suggestion: "the sink sets it itself")
            }
            guard case .string(let value) = entry.item.value, value.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
            else {
                throw Unfit("must hold texts of printable ASCII, not \(entry.item.description) for \(entry.key)")
            }
            headers.append(UploadConfiguration.Header(name: entry.key, value: value))
        }
        return headers
    }

    private func mqtt() -> UploadConfiguration.MQTTTarget? {
        let broker = reader.broker(among: brokers)
        let topic = reader.required("topic", example: "topic = \"site/north/{gateway}/readings\"") {
            (item) throws(Unfit) in
            let topic = try Read.text(item)
            guard !topic.contains("+"), !topic.contains("#"), topic.utf8.count <= 1024 else {
                throw Unfit("is where batches are published, without + and #: not \(quoted(topic))")
            }
            try Self.checkPlaceholders(topic)
            return topic
        }
        guard let broker, let topic else { return nil }
        return UploadConfiguration.MQTTTarget(broker: broker, topic: topic.value)
    }

    private static func checkPlaceholders(_ topic: String) throws(Unfit) {
        var rest = topic[...]
        for name in ["{gateway}", "{node}", "{log}"] {
            rest = rest.split(separator: name, omittingEmptySubsequences: false).joined()[...]
        }
        guard !rest.contains("{"), !rest.contains("}") else {
            throw Unfit(
                "has braces around something else: \(quoted(topic))", suggestion: "have: {gateway}, {node}, {log}")
        }
    }

    private func file() -> UploadConfiguration.FileTarget? {
        let path = reader.path("path")
        if !reader.has("path") { reader.reportMissing("path", example: "path = \"/var/lib/covey/readings.jsonl\"") }
        let rotateAt = reader.size("rotate_at", in: Bounds.rotateAt, default: Defaults.rotateAt)
        return path.map { UploadConfiguration.FileTarget(path: $0.value, rotateAt: rotateAt) }
    }
}
