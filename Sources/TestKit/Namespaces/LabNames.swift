import FoundationEssentials
import Glibc

/// Names and addresses of one network of the lab. They say which process it belongs to, so that what a crashed one left can be told from
/// what is in use.
struct LabNames: Sendable {
    private static let folder = "/run/netns"
    private static let prefix = "covey-lab-"
    private static let linkPrefix = "cvlab"
    /// Networks of 256 addresses from 10.64.0.0 on.
    private static let subnets = 16_384

    private let base: String
    /// The end of the network's cable in the namespace of the test itself. The kernel takes 15 characters.
    let outsideLink: String
    private let subnet: Int

    /// - Parameters:
    ///   - number: Of the network in this process, 0 and up.
    ///   - taken: Text with the addresses that the machine has: none of those networks is chosen.
    init(number: Int, taken: String) {
        let process = Int(getpid())
        base = "\(Self.prefix)\(process)-\(number)"
        outsideLink = "\(Self.linkPrefix)\(String(process, radix: 36))-\(String(number, radix: 36))"
        precondition(outsideLink.utf8.count < 16, "\(number) networks in one process")
        var subnet = (process * 7 + number) % Self.subnets
        while taken.contains(" \(Self.octets(subnet)).") { subnet = (subnet + 1) % Self.subnets }
        self.subnet = subnet
    }

    /// The namespace with the bridge.
    var hub: String { "\(base)-hub" }

    func namespace(_ index: Int) -> String { "\(base)-\(index)" }

    /// The bridge's port, in the hub, that leads to `place`.
    static func port(_ place: LabNetwork.Place) -> String {
        place == .outside ? "outside" : "place\(place.number)"
    }

    func address(_ place: LabNetwork.Place) -> String { "\(Self.octets(subnet)).\(host(place))" }
    func address6(_ place: LabNetwork.Place) -> String {
        "fd63:6f76:6579:\(String(subnet, radix: 16))::\(host(place))"
    }

    static func path(of namespace: String) -> String { "\(folder)/\(namespace)" }

    private static func octets(_ subnet: Int) -> String { "10.\(64 + subnet / 256).\(subnet % 256)" }
    private func host(_ place: LabNetwork.Place) -> Int { place == .outside ? 1 : 10 + place.number }

    /// Commands for `ip` that remove what processes that are gone have left.
    static func leftovers() -> [String] {
        let files = FileManager.default
        let namespaces = ((try? files.contentsOfDirectory(atPath: folder)) ?? []).filter { name in
            guard name.hasPrefix(prefix) else { return false }
            return isGone(name.dropFirst(prefix.count).prefix { $0 != "-" }, radix: 10)
        }
        let links = ((try? files.contentsOfDirectory(atPath: "/sys/class/net")) ?? []).filter { name in
            guard name.hasPrefix(linkPrefix) else { return false }
            return isGone(name.dropFirst(linkPrefix.count).prefix { $0 != "-" }, radix: 36)
        }
        return links.map { "link del \($0)" } + namespaces.map { "netns del \($0)" }
    }

    private static func isGone(_ process: Substring, radix: Int) -> Bool {
        guard let number = pid_t(process, radix: radix) else { return false }
        return kill(number, 0) != 0 && errno == ESRCH
    }
}
