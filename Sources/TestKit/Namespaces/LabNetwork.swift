import Glibc
import Synchronization

/// A network of its own on this machine: a bridge, and around it places, each a network namespace with one cable to the bridge and an
/// IPv4 and an IPv6 address. One more cable leads to the namespace of the test itself, ``Place/outside``, where receivers listen.
///
/// The bridge is in a namespace too, so that no firewall of the machine has a say, and so that nothing outlives the namespaces. They are
/// removed by ``remove()``, with the last reference at the latest; what a process that crashed left is removed by the next network.
/// All of it needs root and the packages iproute2 and nftables, and fails without.
package final class LabNetwork: Sendable {
    /// A place, numbered from 0, or ``outside``.
    package struct Place: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
        package let number: Int
        /// The namespace of this process.
        package static let outside = Place(-1)

        package init(_ number: Int) { self.number = number }
        package init(integerLiteral number: Int) { self.number = number }
        package static func < (one: Place, other: Place) -> Bool { one.number < other.number }
        package var description: String { self == .outside ? "outside" : "place \(number)" }
    }

    /// As many as have addresses; twice what the largest test needs.
    package static let placesAtMost = 64
    private static let networks = Atomic(0)

    package let count: Int
    let names: LabNames
    let faults = Mutex(LabFaults())
    let relays = Mutex<[Place: LabRelay]>([:])
    private let isRemoved = Atomic(false)

    /// Every place of it, without ``Place/outside``.
    package var places: [Place] { (0..<count).map { Place($0) } }

    /// Removes what crashed processes left, and makes `count` places, 1 to ``placesAtMost``. Throws what `ip` could not do, and why.
    package init(_ count: Int) async throws {
        precondition(1...Self.placesAtMost ~= count, "\(count) places")
        guard geteuid() == 0 else {
            throw ChildFailure(description: "network namespaces are root's: run this as root, or with sudo")
        }
        let number = Self.networks.wrappingAdd(1, ordering: .relaxed).oldValue
        self.count = count
        names = try await Self.names(number)
        try await makeOnThread()
    }

    // In functions of their own: the compiler (6.3) ends in an error where it optimizes these calls inside of `init`.
    private static func names(_ number: Int) async throws -> LabNames {
        try await onThread { () throws(ChildFailure) in
            let leftovers = LabNames.leftovers()
            // Somebody else may remove the same at the same time, and then has.
            if !leftovers.isEmpty { _ = try? ip(["-force"], leftovers) }
            let taken = try LabTool.run("ip", of: "iproute2", ["-oneline", "-4", "address"])
            return LabNames(number: number, taken: taken)
        }
    }

    private func makeOnThread() async throws {
        try await onThread { [self] () throws(ChildFailure) in try make() }
    }

    deinit { removeNow() }

    /// Where `place` is reached, IPv4.
    package func address(_ place: Place) -> String { names.address(place) }
    /// Where `place` is reached, IPv6.
    package func address6(_ place: Place) -> String { names.address6(place) }

    /// What comes before a program and its arguments to run it in `place`. The process is the program's own from then on: signals to it are
    /// signals to the program. It is killed when the thread that started it ends.
    package func wrapper(_ place: Place) -> [String] {
        let leash = ["/usr/bin/setpriv", "--pdeathsig", "KILL"]
        if place == .outside { return leash }
        return ["/usr/bin/nsenter", "--net=\(LabNames.path(of: names.namespace(place.number)))"] + leash
    }

    /// Starts `program`, a whole path, in `place`; `environment` is added to that of this process.
    package func start(
        _ program: String, _ arguments: [String], in place: Place, environment: [String: String] = [:]
    ) throws -> ChildProcess {
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let words = wrapper(place) + (variables.isEmpty ? [] : ["/usr/bin/env"] + variables) + [program] + arguments
        return try ChildProcess(words[0], Array(words.dropFirst()))
    }

    /// Removes everything. Processes that still run there are cut off from all others.
    package func remove() async {
        await onThread { [self] in removeNow() }
    }

    private func removeNow() {
        guard isRemoved.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else { return }
        relays.withLock { $0.values.forEach { $0.stop() } }
        let spaces = [names.hub] + places.map { names.namespace($0.number) }
        // A namespace ends with its last process, the cable to it at once.
        _ = try? Self.ip(["-force"], ["link del \(names.outsideLink)"] + spaces.map { "netns del \($0)" })
    }

    private func make() throws(ChildFailure) {
        let (hub, outside) = (names.hub, LabNames.port(.outside))
        var all = ["netns add \(hub)", "link add \(names.outsideLink) type veth peer name \(outside) netns \(hub)"]
        var hubs = ["link add name hub type bridge mcast_snooping 0", "link set hub up"]
        hubs.append("link set \(outside) master hub gso_max_segs 1 up")
        for place in places {
            let (port, space) = (LabNames.port(place), names.namespace(place.number))
            all += [
                "netns add \(space)", "link add \(port) netns \(hub) type veth peer name eth0 netns \(space)",
            ]
            hubs.append("link set \(port) master hub gso_max_segs 1 up")
        }
        try Self.ip([], all + Self.dress(names.outsideLink, names, .outside))
        try Self.ip(["-n", hub], hubs)
        for place in places {
            let loop = ["link set lo up"]
            try Self.ip(["-n", names.namespace(place.number)], loop + Self.dress("eth0", names, place))
        }
    }

    /// What a loss drops is a packet as a cable carries it: without `gso_max_segs` it would be up to 64 KiB at once.
    private static func dress(_ link: String, _ names: LabNames, _ place: Place) -> [String] {
        [
            "address add \(names.address(place))/24 dev \(link)",
            "address add \(names.address6(place))/64 dev \(link) nodad",
            "link set \(link) gso_max_segs 1 up",
        ]
    }

    @discardableResult
    private static func ip(_ options: [String], _ script: [String]) throws(ChildFailure) -> String {
        try LabTool.run("ip", of: "iproute2", options + ["-batch"], script: script)
    }
}
