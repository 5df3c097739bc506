import Synchronization

/// Each of these returns when it is in force. They add up until ``heal()``.
extension LabNetwork {
    /// What `from` sends to `to` does not arrive; the other direction stays as it is. Both may be ``Place/outside``.
    package func cut(from: Place, to: Place) async throws {
        try await change { $0.cuts.insert(LabFaults.Cut(from: from, to: to)) }
    }

    /// Nothing passes between the two.
    package func cut(_ one: Place, _ other: Place) async throws { try await isolate([one], from: [other]) }

    /// Nothing passes between any of `group` and any of `others`.
    package func isolate(_ group: Set<Place>, from others: Set<Place>) async throws {
        precondition(group.isDisjoint(with: others), "\(group) and \(others)")
        try await change { faults in
            for one in group {
                for other in others {
                    faults.cuts.insert(LabFaults.Cut(from: one, to: other))
                    faults.cuts.insert(LabFaults.Cut(from: other, to: one))
                }
            }
        }
    }

    /// `group` hears nobody else, and nobody else hears it; ``Place/outside`` is reached as before.
    package func isolate(_ group: Set<Place>) async throws {
        try await isolate(group, from: Set(places).subtracting(group))
    }

    /// So many of 100 packets are lost: everywhere, once for each packet, or on the cables of `places`, once on each that it passes.
    /// `port`: only what goes to or comes from that port, TCP and UDP.
    package func loss(_ percent: Int, at places: Set<Place>? = nil, port: Int? = nil) async throws {
        precondition(0...100 ~= percent, "\(percent) %")
        try await change { $0.losses.append(LabFaults.Loss(percent: percent, places: places, port: port)) }
    }

    /// The cable of `place` carries so many bits a second each way, with 16 KiB at once and a queue of 200 ms.
    package func rate(_ bitsPerSecond: Int, at place: Place) async throws {
        precondition(place != .outside && bitsPerSecond > 0, "\(bitsPerSecond) bit/s at \(place)")
        try await change { $0.rates[place] = bitsPerSecond }
    }

    /// Everything passes again, between all.
    package func heal() async throws {
        relays.withLock { $0.values.forEach { $0.set(delay: .zero, jitter: .zero) } }
        try await change { $0 = LabFaults() }
    }

    /// What `place` sends and gets passes again; what is wrong between others, and all losses, rates and delays, stay.
    package func mend(_ place: Place) async throws {
        try await change { faults in faults.cuts = faults.cuts.filter { $0.from != place && $0.to != place } }
    }

    /// One change after the other: what is in force is always what is written down.
    private func change(_ body: @escaping @Sendable (inout sending LabFaults) -> Void) async throws {
        try await onThread { [self] () throws(ChildFailure) in
            try faults.withLock { (faults) throws(ChildFailure) in
                let before = faults.rates
                body(&faults)
                for place in places where before[place] != faults.rates[place] {
                    try shape(place, faults.rates[place])
                }
                try LabTool.run("nft", of: "nftables", ["-f"], in: names.hub, script: faults.rules)
            }
        }
    }

    /// Both ends of the cable.
    private func shape(_ place: Place, _ rate: Int?) throws(ChildFailure) {
        for (space, link) in [(names.namespace(place.number), "eth0"), (names.hub, LabNames.port(place))] {
            let what =
                rate.map {
                    ["replace", "dev", link, "root", "tbf", "rate", "\($0)bit", "burst", "16kb", "latency", "200ms"]
                }
                ?? ["del", "dev", link, "root"]
            try LabTool.run("tc", of: "iproute2", ["-n", space, "qdisc"] + what)
        }
    }
}
