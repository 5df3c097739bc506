/// What is wrong with a network of the lab, as rules for its bridge.
struct LabFaults: Sendable {
    struct Cut: Hashable, Comparable {
        let from: LabNetwork.Place
        let to: LabNetwork.Place

        static func < (one: Cut, other: Cut) -> Bool { (one.from, one.to) < (other.from, other.to) }
    }

    struct Loss {
        let percent: Int
        /// `nil`: everywhere, once for each packet.
        let places: Set<LabNetwork.Place>?
        let port: Int?
    }

    var cuts: Set<Cut> = []
    var losses: [Loss] = []
    /// Bits a second.
    var rates: [LabNetwork.Place: Int] = [:]

    /// For `nft`, which takes all of it or nothing. Who has which address is always told: with that cut in one direction, nothing would
    /// come in the other either.
    var rules: [String] {
        var rules = [
            "ether type arp accept", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
        ]
        if !cuts.isEmpty {
            let pairs = cuts.sorted().map { "\(Self.name($0.from)) . \(Self.name($0.to))" }
            rules.append("iifname . oifname { \(pairs.joined(separator: ", ")) } drop")
        }
        for loss in losses {
            let chance = "numgen random mod 100 < \(loss.percent) drop"
            let ports = loss.port.map { ["th dport \($0) ", "th sport \($0) th dport != \($0) "] } ?? [""]
            let names = loss.places.map { $0.sorted().map(Self.name).joined(separator: ", ") }
            for port in ports {
                if let names {
                    rules += ["iifname", "oifname"].map { "\($0) { \(names) } \(port)\(chance)" }
                } else {
                    rules.append(port + chance)
                }
            }
        }
        return [
            "add table bridge covey", "delete table bridge covey", "table bridge covey {", "chain wire {",
            "type filter hook forward priority 0; policy accept;",
        ] + rules + ["}", "}"]
    }

    private static func name(_ place: LabNetwork.Place) -> String { "\"\(LabNames.port(place))\"" }
}
