package import Model

/// Why the gateways of this network cannot be looked for, in words that say what is missing.
package struct MDNSError: Error, Hashable, CustomStringConvertible {
    package let description: String
}

/// What a gateway tells everybody on its network.
package struct Announcement: Hashable, Sendable {
    /// What a label of DNS holds.
    private static let nameBytes = 63

    /// Where it is taken, a number is put behind it.
    package let name: String
    /// 1 to 65535.
    package let port: UInt16
    /// The program's.
    package let version: String
    /// Tells coveys apart; at most 16 hexadecimal digits, lower case.
    package let key: String
    /// Whether gateways may be reached over IPv6 as well.
    package let withIPv6: Bool

    /// A name that is too long is cut between characters.
    package init(name: String, port: UInt16, version: String, key: String, withIPv6: Bool) {
        var short = name
        while short.utf8.count > Self.nameBytes { short.removeLast() }
        self.name = short
        self.port = port
        self.version = version
        self.key = key
        self.withIPv6 = withIPv6
    }
}

/// Another's announcement.
package struct Neighbour: Hashable, Sendable {
    package let address: PeerAddress
    /// As ``Announcement/key``; empty where the other told none.
    package let key: String

    package init(address: PeerAddress, key: String) {
        self.address = address
        self.key = key
    }
}

/// What a session knows at a moment.
package struct Sighting: Hashable, Sendable {
    /// Whether others can see this gateway's announcement.
    package var isAnnounced = false
    /// In no order that means anything, each once; 64 at most.
    package var neighbours: [Neighbour] = []
    /// Announcements that were passed over since the session began, because there were too many.
    package var passedOver: UInt64 = 0

    package init() {}
}
