import Model

extension StatusText {
    /// Devices whose losses are listed; the rest is a matter for `covey devices`.
    private static let lossyShown = 8

    mutating func ledger() {
        let ledger = status["ledger"]
        section("Readings")
        let words = ["received", "waiting", "stored", "duplicate", "rejected", "dropped"]
        var table = Table(words.map { .right($0.uppercased()) }, indent: 2)
        table.rows.append(
            words.map { Cell(count: total(ledger?[$0]), isLoss: $0 == "rejected" || $0 == "dropped") })
        add(table)
        for word in ["rejected", "dropped"] where !(ledger?[word]?.members ?? []).isEmpty {
            paragraph(word + ": " + plain(ledger?[word]))
        }
        lossyStreams(ledger?["streams"]?.elements ?? [])
    }

    private mutating func lossyStreams(_ streams: [JSONValue]) {
        let lossy = streams.filter { (total($0["rejected"]) ?? 0) &+ (total($0["dropped"]) ?? 0) > 0 }
        for stream in lossy.prefix(Self.lossyShown) {
            let losses = ["rejected", "dropped"].filter { (total(stream[$0]) ?? 0) > 0 }
                .map { "\($0) \(stream[$0]?.members.isEmpty == false ? plain(stream[$0]) : count(stream[$0]))" }
            paragraph("\(plain(stream["device"])): " + losses.joined(separator: "; "))
        }
        if lossy.count > Self.lossyShown {
            paragraph("and \(lossy.count - Self.lossyShown) devices more: covey devices")
        }
    }

    mutating func sinks() {
        let sinks = status["ledger"]?["sinks"]?.members ?? []
        guard !sinks.isEmpty else { return }
        section("Sinks")
        let words = ["stored", "uploaded", "pending", "refused", "evicted", "damaged"]
        let losses = ["refused", "evicted", "damaged"]
        var table = Table([.left("SINK", least: 12)] + words.map { .right($0.uppercased()) }, indent: 2)
        for sink in sinks {
            table.rows.append(
                [Cell(sink.name)]
                    + words.map { Cell(count: total(sink.value[$0]), isLoss: losses.contains($0)) })
        }
        add(table)
    }

    mutating func uploads() {
        let uploads = status["uploads"]?.elements ?? []
        guard !uploads.isEmpty else { return }
        section("Uploads")
        add(ListText.uploads(uploads, indent: 2))
    }

    mutating func links() {
        let brokers = status["brokers"]?.elements ?? []
        let isShared = brokers.contains { $0["shared"]?["state"]?.string != nil }
        if !brokers.isEmpty {
            section("Brokers")
            var table = Table(
                [
                    .left("BROKER", least: 12), .left("STATE"), .right("RECEIVED"),
                ] + (isShared ? [.left("SHARED", mayGo: true)] : []) + [.left("ERROR", least: 12, mayGo: true)],
                indent: 2)
            for broker in brokers {
                var row = [
                    Cell(plain(broker["name"])), Cell(state: plain(broker["state"])),
                    Cell(count: total(broker["received"])),
                ]
                if isShared { row.append(Cell(Self.sharing(broker["shared"]))) }
                table.rows.append(row + [Cell(broker["error"]?.string ?? "")])
            }
            add(table)
        }
        covey()
    }

    /// How the gateway shares a broker with others.
    private static func sharing(_ shared: JSONValue?) -> String {
        guard let state = shared?["state"]?.string else { return "" }
        let others = (shared?["others"]?.elements ?? []).compactMap(\.string)
        return others.isEmpty ? state : "\(state) with \(others.joined(separator: ", "))"
    }

    private mutating func covey() {
        let peers = status["peers"]?.elements ?? []
        let covey = status["covey"]
        guard !peers.isEmpty || covey?.members.isEmpty == false else { return }
        section("Covey")
        if let covey, !covey.members.isEmpty { paragraph(summary(of: covey)) }
        if !peers.isEmpty { add(ListText.peers(peers, indent: 2)) }
    }

    /// How many are there, whether every reading has its copies, and whether there is a link at all.
    private func summary(of covey: JSONValue) -> String {
        let members = covey["members"]
        let known = ["alive", "suspect", "dead"].reduce(1) { $0 &+ (total(members?[$1]) ?? 0) }
        let alive = 1 &+ (total(members?["alive"]) ?? 0)
        var parts = members == nil ? [] : ["\(alive) of \(known) gateways alive, this one among them"]
        if let readings = total(covey["under_replicated"]?["readings"]) {
            parts.append(
                readings == 0
                    ? "every reading has its copies" : "\(readings) readings wait for their copies")
        }
        if let lacking = total(covey["lacking_gateways"]), lacking > 0 {
            parts.append("\(lacking) on fewer disks than wanted")
        }
        if covey["linked"] == .flag(false) {
            parts.append("the link is down" + (covey["link_error"]?.string.map { ": \($0)" } ?? ""))
        }
        return parts.joined(separator: ", ")
    }

    mutating func ring() {
        let ring = status["ring"]
        section("Ring")
        let oldest = ring?["oldest_t"]?.integer.map { LocalTime.ago(Milliseconds($0), now: now) } ?? "–"
        var parts = [
            "\(plain(ring?["segments"])) segments, \(plain(ring?["free"])) free",
            "\(plain(ring?["readings"])) readings",
            "oldest \(oldest)",
            "\(ring?["bytes_written"]?.integer.map { ByteCount($0).description } ?? "–") written",
        ]
        for word in ["damaged", "restored", "retired"] where (total(ring?[word]) ?? 0) > 0 {
            parts.append("\(count(ring?[word])) \(word)")
        }
        paragraph(parts.joined(separator: ", "))
        wear(ring?["wear"])
        switch ring?["memory_only"] {
        case .flag(true)?: paragraph("in memory only: nothing reaches the disk")
        case .text(let reason)?: paragraph("in memory only: \(reason)")
        default: break
        }
        for sentence in ring?["recovery"]?.elements ?? [] { paragraph(sentence.plain) }
    }

    /// What the card has borne, and how long it lasts so: once there is a rate.
    private mutating func wear(_ wear: JSONValue?) {
        guard let rate = wear?["bytes_per_day"]?.double, let bytes = wear?["bytes"]?.integer else { return }
        var sentence = "wear: \(ByteCount(bytes)) written in all, \(ByteCount(Int64(rate))) a day"
        if let years = wear?["card_years"]?.double {
            sentence += "; the card lasts \(Self.span(years: years)) at that"
        }
        paragraph(sentence)
    }

    private static func span(years: Double) -> String {
        if years >= 100 { return "more than 100 years" }
        return years < 1 ? "\(Int(years * 12)) months" : "\(Int(years)) years"
    }

    mutating func tree() {
        guard let root = status["tree"], !root.members.isEmpty else { return }
        section(nil)
        add(TreeText(root).table)
    }
}
