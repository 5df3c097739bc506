import Model

/// What a request line asks for.
enum Route: Hashable, Sendable {
    case status, devices, uploads, peers, ring, version, health, metrics
    case latest([Glob], history: Int)
    case query(QueryRequest)
    case tail([Glob])

    /// Reads the target of a request (`/v1/query?glob=soil-*&limit=10`). Unknown parameters are errors: passed over, a misspelt limit
    /// would give a wrong answer that looks right.
    init(target: String, limits: ControlLimits) throws(ControlError) {
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = String(halves[0])
        var parameters = try Parameters(halves.count > 1 ? halves[1] : "", limits: limits)
        switch path {
        case "/v1/status": self = .status
        case "/v1/devices": self = .devices
        case "/v1/uploads": self = .uploads
        case "/v1/peers": self = .peers
        case "/v1/ring": self = .ring
        case "/v1/version": self = .version
        case "/healthz": self = .health
        case "/metrics": self = .metrics
        case "/v1/latest":
            let history = try parameters.integer("history", in: 0...Int64(Limits.historyValues)) ?? 0
            self = .latest(try parameters.globs(), history: Int(history))
        case "/v1/tail": self = .tail(try parameters.globs())
        case "/v1/query":
            let limit = try parameters.integer("limit", in: 1...Int64(limits.queryLimit))
            let range = Int64.min...Int64.max
            self = .query(
                QueryRequest(
                    globs: try parameters.globs(),
                    since: try parameters.integer("since", in: range).map(Milliseconds.init),
                    until: try parameters.integer("until", in: range).map(Milliseconds.init),
                    limit: limit.map(Int.init),
                    gateways: try parameters.texts("gateway", limit: limits.names)))
        case _ where ControlOrder.paths.contains(path):
            throw ControlError(.methodNotAllowed, "GET is not for this; POST is")
        default:
            throw ControlError(
                .notFound, "nothing is at \(shown(path))",
                hint: "/v1/status, devices, uploads, peers, ring, latest, query, tail, version; /healthz; /metrics")
        }
        try parameters.finish()
    }
}

extension ControlOrder {
    /// Reads the target of a POST.
    init(target: String, limits: ControlLimits) throws(ControlError) {
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var parameters = try Parameters(halves.count > 1 ? halves[1] : "", limits: limits)
        switch String(halves[0]) {
        case "/v1/leave": self = .leave
        case "/v1/forget":
            guard let node = parameters.text("node"), !node.isEmpty else {
                throw ControlError(.badRequest, "node= names the gateway, or begins its node id")
            }
            self = .forget(node)
        case "/v1/key/rotate": self = .rotateKey(without: try parameters.texts("without", limit: limits.names))
        case "/v1/key/abort": self = .abortKey
        case "/v1/join":
            let addresses = try parameters.texts("address", limit: limits.names)
            guard !addresses.isEmpty else {
                throw ControlError(.badRequest, "address= says where the covey may be found, HOST:PORT")
            }
            self = .join(addresses)
        case "/v1/ring/repair": self = .repairRing
        default: throw ControlError(.methodNotAllowed, "POST is not for this; GET is")
        }
        try parameters.finish()
    }
}

/// The part of a target behind the question mark; each parameter is taken out once.
private struct Parameters {
    private var rest: [(name: String, value: String)] = []
    private let limits: ControlLimits

    init(_ text: Substring, limits: ControlLimits) throws(ControlError) {
        self.limits = limits
        for part in text.split(separator: "&") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(halves[0]), let value = percentDecoded(halves.count > 1 ? halves[1] : "")
            else {
                throw ControlError(.badRequest, "\(shown(part)) is not percent-encoded UTF-8")
            }
            rest.append((name, value))
        }
    }

    mutating func globs() throws(ControlError) -> [Glob] {
        let patterns = rest.filter { $0.name == "glob" }.map(\.value)
        rest.removeAll { $0.name == "glob" }
        guard patterns.count <= limits.globs else {
            throw ControlError(.badRequest, "\(patterns.count) globs; the limit is \(limits.globs)")
        }
        for pattern in patterns where pattern.isEmpty || pattern.utf8.count > limits.globBytes {
            throw ControlError(.badRequest, "a glob has 1 to \(limits.globBytes) bytes; this has \(pattern.utf8.count)")
        }
        return patterns.map(Glob.init)
    }

    /// All of that name.
    mutating func texts(_ name: String, limit: Int) throws(ControlError) -> [String] {
        let values = rest.filter { $0.name == name }.map(\.value)
        rest.removeAll { $0.name == name }
        guard values.count <= limit else {
            throw ControlError(.badRequest, "\(name)= stands \(values.count) times; the limit is \(limit)")
        }
        if values.contains("") { throw ControlError(.badRequest, "\(name)= is empty") }
        return values
    }

    mutating func text(_ name: String) -> String? {
        guard let index = rest.firstIndex(where: { $0.name == name }) else { return nil }
        return rest.remove(at: index).value
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64>) throws(ControlError) -> Int64? {
        guard let index = rest.firstIndex(where: { $0.name == name }) else { return nil }
        let text = rest.remove(at: index).value
        guard let value = Int64(text), range.contains(value) else {
            let bounds = range.lowerBound == .min ? "" : " from \(range.lowerBound) to \(range.upperBound)"
            throw ControlError(.badRequest, "\(name)=\(shown(text)) is not a whole number\(bounds)")
        }
        return value
    }

    func finish() throws(ControlError) {
        guard let left = rest.first else { return }
        throw ControlError(.badRequest, "parameter \(shown(left.name)) is unknown here, or stands twice")
    }
}

/// `nil` where an escape is broken or the result is not UTF-8. A plus sign is itself: series names may hold one.
private func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%") {
            guard let high = rest.popFirst().flatMap(hexadecimalValue),
                let low = rest.popFirst().flatMap(hexadecimalValue)
            else { return nil }
            bytes.append(high << 4 | low)
        } else {
            bytes.append(byte)
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexadecimalValue(_ byte: UInt8) -> UInt8? {
    Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
}

/// A stranger's text in a message: quoted, and not all of it.
private func shown(_ text: some StringProtocol) -> String {
    "\"\(text.prefix(60))\(text.count > 60 ? "…" : "")\""
}
