import Model

/// `covey status` for a person: health and why on the first line, then what to do about it, then the figures. A
/// member that is missing shows as `–`, one that is not known here is passed over, so that a newer or an older daemon
/// can be asked too.
struct StatusText {
    let status: JSONValue
    let terminal: Terminal
    let now: Milliseconds
    private(set) var lines: [String] = []

    /// Reasons that are told; beyond, they are counted.
    private static let reasonsShown = 8

    static func lines(_ status: JSONValue, _ terminal: Terminal, now: Milliseconds) -> [String] {
        var text = StatusText(status: status, terminal: terminal, now: now)
        text.heading()
        text.remarks()
        text.life()
        text.ledger()
        text.sinks()
        text.uploads()
        text.links()
        text.ring()
        text.tree()
        return text.lines
    }

    private init(status: JSONValue, terminal: Terminal, now: Milliseconds) {
        self.status = status
        self.terminal = terminal
        self.now = now
    }

    // MARK: Head

    private mutating func heading() {
        let health = cut(printable(status["health"]?.string ?? "–"), to: 12)
        let gateway = cut(printable(plain(status["gateway"])), to: terminal.width / 2)
        let reasons = (status["reasons"]?.elements ?? []).map(\.plain)
        let why = reasons.first ?? summary
        let begun = columns(gateway) + 2 + columns(health)
        let text = why.map { wrapped($0, to: terminal.width - 4, first: terminal.width - begun - 2) } ?? []
        let first = text.first.map { ": " + $0 } ?? ""
        lines.append(gateway + "  " + Tone(state: health).dressed(health, terminal) + first)
        lines += text.dropFirst().map { "    " + $0 }
        for reason in reasons.dropFirst().prefix(Self.reasonsShown) {
            lines += hanging("  also: ", reason, to: terminal.width)
        }
        let hidden = reasons.count - 1 - Self.reasonsShown
        if hidden > 0 { lines.append("  also: \(hidden) more; covey devices, covey uploads") }
    }

    private mutating func life() {
        let uptime = status["uptime_s"]?.double.flatMap { abs($0) < 1e9 ? Duration.seconds($0).text : nil } ?? "–"
        let life = "up \(uptime), covey \(plain(status["version"])), node \(plain(status["node"]))"
        for line in wrapped(life, to: terminal.width) { lines.append(Tone.dim.dressed(line, terminal)) }
    }

    /// What there is to say of a gateway that is well; `nil` where the status does not say.
    private var summary: String? {
        guard let stored = total(status["ledger"]?["stored"]) else { return nil }
        let uploads = status["uploads"]?.elements ?? []
        let pending = uploads.reduce(0) { $0 &+ (total($1["pending"]) ?? 0) }
        let text = "\(stored) reading\(stored == 1 ? "" : "s") stored"
        if uploads.isEmpty { return text }
        return text + (pending == 0 ? ", all of them uploaded" : ", \(pending) on the way to the sinks")
    }

    /// What is no fault and yet wants somebody's eye.
    private mutating func remarks() {
        let ring = status["ring"]
        let lost = total(ring?["lost"]) ?? 0
        if lost > 0 {
            remark("damaged", "\(lost) reading\(lost == 1 ? "" : "s") of the ring cannot be read any more")
        }
        let aside = total(ring?["set_aside"]) ?? 0
        if aside > 0 {
            remark("damaged", "\(aside) segment\(aside == 1 ? " is" : "s are") set aside; the gateway's log says why")
        }
        for step in nextSteps { remark("next", step) }
    }

    /// What an empty gateway lacks, each with what to do.
    private var nextSteps: [String] {
        guard let ledger = status["ledger"], case .array(let brokers)? = status["brokers"] else { return [] }
        var steps: [String] = []
        let devices = status["tree"]?["children"]?.elements.first { $0["id"]?.string == "devices" }
        let isIdle = brokers.isEmpty && (devices?["children"]?.elements ?? []).isEmpty
        if isIdle, (ledger["streams"]?.elements ?? []).isEmpty {
            steps.append(
                "no device is configured: add a [[device]] to /etc/covey/covey.toml (its comments show how), "
                    + "covey check --config it, and systemctl reload covey")
        } else if total(ledger["received"]) == 0 {
            steps.append("no reading has come yet: covey devices shows who is silent")
        }
        if case .array(let uploads)? = status["uploads"], uploads.isEmpty {
            steps.append("no upload is configured: readings stay on this disk; add an [[upload]] to send them on")
        }
        return steps
    }

    // MARK: Parts

    private mutating func remark(_ word: String, _ text: String) {
        lines += hanging("  \(word): ", text, to: terminal.width)
    }

    mutating func section(_ title: String?) {
        lines.append("")
        if let title { lines.append(title) }
    }

    mutating func add(_ table: Table) { lines += table.lines(terminal) }

    /// Text within the margins, its further lines set in.
    mutating func paragraph(_ text: String) {
        for (index, line) in wrapped(text, to: terminal.width - 4).enumerated() {
            lines.append((index == 0 ? "  " : "    ") + line)
        }
    }

    func plain(_ value: JSONValue?) -> String { value?.plain ?? "–" }

    func count(_ value: JSONValue?) -> String { total(value).map(String.init) ?? "–" }
}

/// A count, or the sum of counts by reason.
func total(_ value: JSONValue?) -> Int64? {
    guard case .object(let members)? = value else { return value?.integer }
    return members.reduce(0) { $0 &+ ($1.value.integer ?? 0) }
}
