package import Environment
package import Model

/// Who a member is, and what is known of it.

/// The version of what a gateway speaks. Another `minor` only adds fields, which are carried on; another `major` is
/// for the owner to judge.
package struct ProtocolVersion: Hashable, Comparable, Sendable {
    package let major: UInt8
    package let minor: UInt8

    package init(major: UInt8, minor: UInt8) {
        self.major = major
        self.minor = minor
    }

    package static func < (left: ProtocolVersion, right: ProtocolVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}

extension ProtocolVersion: CustomStringConvertible {
    package var description: String { "\(major).\(minor)" }
}

/// What stays the same for one run of a gateway.
package struct MemberIdentity: Hashable, Sendable {
    /// Kept over restarts.
    package let node: NodeID
    /// Drawn at every start of the process.
    package let start: StartID
    /// For people; at most ``MembershipLimits/nameBytes`` bytes of UTF-8.
    package let name: String
    package let version: ProtocolVersion
    /// One bit for each thing that a gateway can do; bits that a receiver does not know are kept.
    package let features: UInt64

    /// A longer `name` is cut at a character.
    package init(node: NodeID, start: StartID, name: String, version: ProtocolVersion, features: UInt64) {
        self.node = node
        self.start = start
        var name = name
        while name.utf8.count > MembershipLimits.nameBytes { name.removeLast() }
        self.name = name
        self.version = version
        self.features = features
    }
}

/// In the order in which one overrules another of the same incarnation.
package enum MemberState: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    /// Answers, or is said to.
    case alive = 0
    /// Did not answer; counts as alive until its time to contradict is over.
    case suspect = 1
    /// Did not contradict in time. Stays refutable, and is asked now and then.
    case dead = 2
    /// Said that it goes.
    case left = 3
    /// No longer counted among the known. Seen only in ``MembershipDirective/changed(_:)``.
    case forgotten = 4

    /// Whether a member in this state takes part: is probed, gossiped to, counted in N.
    package var isPresent: Bool { self <= .suspect }

    package static func < (left: MemberState, right: MemberState) -> Bool { left.rawValue < right.rawValue }
}

/// Another gateway, as this one sees it.
package struct Member: Hashable, Sendable {
    package internal(set) var identity: MemberIdentity
    /// Where it says that others reach it.
    package internal(set) var address: PeerAddress
    package internal(set) var incarnation: Incarnation
    package internal(set) var state: MemberState
    /// When it came to be in `state`, by this gateway's clock; may lie before that clock's zero for what was heard
    /// from others.
    package internal(set) var since: MonotonicInstant
    /// What a newer version said of it after the fields that are known here; carried on untouched.
    var extra: [UInt8] = []

    package var node: NodeID { identity.node }
}
