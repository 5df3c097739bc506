import Model

/// `covey status` for a person. A member that is missing shows as `–`, one that is not known here is passed over, so that a newer or an
/// older daemon can be asked too.
struct StatusText {
    private let status: JSONValue
    private let terminal: Terminal
    private let now: Milliseconds
    private var lines: [String] = []

    /// Devices whose losses are listed; the rest is a matter for `covey devices`.
    private static let lossyShown = 8

    static func lines(_ status: JSONValue, _ terminal: Terminal, now: Milliseconds) -> [String] {
        var text = StatusText(status: status, terminal: terminal, now: now)
        text.heading()
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

    // MARK: Sections

    private mutating func heading() {
        let health = cut(status["health"]?.string ?? "–", to: 12)
        let uptime =
            status["uptime_s"]?.double.flatMap { abs($0) < 1e9 ? "up " + Duration.seconds($0).text : nil } ?? "up –"
        let gateway = cut(printable(plain(status["gateway"])), to: terminal.width / 2)
        let version = cut(printable(plain(status["version"])), to: 16)
        let life = "\(uptime)  covey \(version)"
        let isRoomy = columns(gateway) + columns(health) + columns(life) + 4 <= terminal.width
        lines.append(
            "\(gateway)  \(Tone(state: health).dressed(printable(health), terminal))" + (isRoomy ? "  " + life : ""))
        if !isRoomy { lines.append(life) }
        lines.append(cut("node \(printable(plain(status["node"])))", to: terminal.width))
        for reason in status["reasons"]?.elements ?? [] {
            for (index, line) in wrapped(reason.plain, to: terminal.width - 4).enumerated() {
                lines.append((index == 0 ? "  ! " : "    ") + line)
            }
        }
    }

    private mutating func ledger() {
        let ledger = status["ledger"]
        section("Readings")
        let words = ["received", "waiting", "stored", "duplicate", "rejected", "dropped"]
        var table = Table(words.map { .right($0.uppercased()) }, indent: 2)
        table.rows.append(
            words.map { word in
                let isLoss = word == "rejected" || word == "dropped"
                return Cell(count(ledger?[word]), isLoss && (total(ledger?[word]) ?? 0) > 0 ? .warning : .plain)
            })
        lines += table.lines(terminal)
        for word in ["rejected", "dropped"] where !(ledger?[word]?.members ?? []).isEmpty {
            paragraph(word + ": " + plain(ledger?[word]))
        }
        lossyStreams(ledger?["streams"]?.elements ?? [])
    }

    private mutating func lossyStreams(_ streams: [JSONValue]) {
        let lossy = streams.filter { (total($0["rejected"]) ?? 0) + (total($0["dropped"]) ?? 0) > 0 }
        for stream in lossy.prefix(Self.lossyShown) {
            let losses = ["rejected", "dropped"].filter { (total(stream[$0]) ?? 0) > 0 }
                .map { "\($0) \(stream[$0]?.members.isEmpty == false ? plain(stream[$0]) : count(stream[$0]))" }
            paragraph("\(plain(stream["device"])): " + losses.joined(separator: "; "))
        }
        if lossy.count > Self.lossyShown {
            paragraph("and \(lossy.count - Self.lossyShown) devices more: covey devices")
        }
    }

    private mutating func sinks() {
        let sinks = status["ledger"]?["sinks"]?.members ?? []
        guard !sinks.isEmpty else { return }
        section("Sinks")
        let words = ["stored", "uploaded", "pending", "refused", "evicted", "damaged"]
        var table = Table([.left("SINK", least: 8)] + words.map { .right($0.uppercased()) }, indent: 2)
        for sink in sinks {
            table.rows.append(
                [Cell(sink.name)]
                    + words.map { word in
                        let isLoss =
                            ["refused", "evicted", "damaged"].contains(word) && (total(sink.value[word]) ?? 0) > 0
                        return Cell(count(sink.value[word]), isLoss ? .warning : .plain)
                    })
        }
        lines += table.lines(terminal)
    }

    private mutating func uploads() {
        let uploads = status["uploads"]?.elements ?? []
        guard !uploads.isEmpty else { return }
        section("Uploads")
        lines += ListText.uploads(uploads, now: now, indent: 2).lines(terminal)
    }

    private mutating func links() {
        let brokers = status["brokers"]?.elements ?? []
        if !brokers.isEmpty {
            section("Brokers")
            var table = Table([.left("BROKER", least: 8), .left("STATE"), .left("ERROR", least: 8)], indent: 2)
            for broker in brokers {
                table.rows.append([
                    Cell(plain(broker["name"])), Cell(state: plain(broker["state"])),
                    Cell(broker["error"]?.string ?? ""),
                ])
            }
            lines += table.lines(terminal)
        }
        let peers = status["peers"]?.elements ?? []
        guard !peers.isEmpty else { return }
        section("Peers")
        lines += ListText.peers(peers, indent: 2).lines(terminal)
    }

    private mutating func ring() {
        let ring = status["ring"]
        section("Ring")
        var parts = [
            "\(plain(ring?["segments"])) segments, \(plain(ring?["free"])) free",
            "\(plain(ring?["readings"])) readings",
            "oldest \(time(ring?["oldest_t"]))",
            "\(ring?["bytes_written"]?.integer.map { ByteCount($0).description } ?? "–") written",
        ]
        for word in ["damaged", "retired"] where (total(ring?[word]) ?? 0) > 0 {
            parts.append("\(count(ring?[word])) \(word)")
        }
        paragraph(parts.joined(separator: ", "))
        switch ring?["memory_only"] {
        case .flag(true)?: paragraph("in memory only: nothing reaches the disk")
        case .text(let reason)?: paragraph("in memory only: \(reason)")
        default: break
        }
        for sentence in ring?["recovery"]?.elements ?? [] { paragraph(sentence.plain) }
    }

    private mutating func tree() {
        guard let root = status["tree"], !root.members.isEmpty else { return }
        section(nil)
        lines += TreeText(root).table.lines(terminal)
    }

    // MARK: Parts

    private mutating func section(_ title: String?) {
        lines.append("")
        if let title { lines.append(title) }
    }

    /// Text within the margins, its further lines set in.
    private mutating func paragraph(_ text: String) {
        for (index, line) in wrapped(text, to: terminal.width - 4).enumerated() {
            lines.append((index == 0 ? "  " : "    ") + line)
        }
    }

    private func plain(_ value: JSONValue?) -> String { value?.plain ?? "–" }

    private func count(_ value: JSONValue?) -> String { total(value).map(String.init) ?? "–" }

    private func time(_ value: JSONValue?) -> String {
        value?.integer.map { LocalTime(Milliseconds($0)).brief(now: now) } ?? "–"
    }
}

/// A count, or the sum of counts by reason.
func total(_ value: JSONValue?) -> Int64? {
    guard case .object(let members)? = value else { return value?.integer }
    return members.reduce(0) { $0 &+ ($1.value.integer ?? 0) }
}
