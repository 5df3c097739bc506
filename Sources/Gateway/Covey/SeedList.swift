import GatewayCore
import Membership
import Model

/// Addresses that may lead to the covey, from all that look for some. The core is told whenever they are others.
actor SeedList {
    private let gateway: GatewayActor
    private let link: PeerLink
    private var configured: [PeerAddress] = []
    private var announced: [PeerAddress] = []
    private var told: [PeerAddress] = []

    init(gateway: GatewayActor, link: PeerLink) {
        self.gateway = gateway
        self.link = link
    }

    /// A board gets its address late, or another one in the morning.
    func checkOwnAddress() async {
        if let address = link.moved(towards: told) { await gateway.handle(.moved(address)) }
    }

    /// What the names among the configured seeds stand for. A name server that is away takes nothing back.
    func resolved(_ addresses: [PeerAddress]) async {
        guard !addresses.isEmpty else { return }
        configured = addresses
        await tell()
    }

    /// Who announces itself on this network now.
    func announced(_ addresses: [PeerAddress]) async {
        announced = addresses
        await tell()
        // On a network that leads nowhere else, only a peer shows which of the machine's addresses is of use.
        await checkOwnAddress()
    }

    /// The configured ones first: a stranger can announce what he likes, and there is room for a limited number.
    private func tell() async {
        var all: [PeerAddress] = []
        for address in configured + announced where !all.contains(address) && all.count < MembershipLimits.seeds {
            all.append(address)
        }
        guard all != told else { return }
        told = all
        await gateway.handle(.seeds(all))
    }
}
