import Synchronization

extension LabNetwork {
    /// Every packet on the cable of `place` takes `delay`, and up to `jitter` more, each as it comes: so they overtake one another. Both ways,
    /// until ``heal()``. The first time at a place the cable is out for a moment; there must be no ``rate(_:at:)`` at it then.
    package func delay(_ delay: Duration, jitter: Duration = .zero, at place: Place) async throws {
        precondition(place != .outside && delay >= .zero && jitter >= .zero, "\(delay), \(jitter) at \(place)")
        let relay: LabRelay
        if let known = relays.withLock({ $0[place] }) {
            relay = known
        } else {
            precondition(faults.withLock { $0.rates[place] == nil }, "\(place) is slow already")
            relay = try await onThread { [self] () throws(ChildFailure) in try lengthen(place) }
            relays.withLock { $0[place] = relay }
        }
        relay.set(delay: delay, jitter: jitter)
    }

    /// Puts a relay between the place's cable and the bridge, whose port keeps its name.
    private func lengthen(_ place: Place) throws(ChildFailure) -> LabRelay {
        let (port, cable, relay) = (LabNames.port(place), "cable\(place.number)", "relay\(place.number)")
        try LabTool.run(
            "ip", of: "iproute2", ["-n", names.hub, "-batch"],
            script: [
                "link set \(port) down", "link set \(port) nomaster", "link set \(port) name \(cable)",
                "link add \(port) type veth peer name \(relay)", "link set \(port) master hub gso_max_segs 1 up",
                "link set \(relay) gso_max_segs 1 up", "link set \(cable) up",
            ])
        try enter(names.hub)
        return try LabRelay(cable, relay)
    }
}
