// Pure.
package import Environment
package import Model

/// One part of the replicated state. 256 of them at most; those that a gateway does not know are carried on untouched.
package struct KeySpaceName: Hashable, Comparable, Sendable {
    package let rawValue: UInt8

    package init(_ rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static func < (left: KeySpaceName, right: KeySpaceName) -> Bool { left.rawValue < right.rawValue }
}

/// A key in a key space: 1 to ``GossipLimits/keyBytes`` bytes.
package struct StateName: Hashable, Sendable {
    package let space: KeySpaceName
    package let key: [UInt8]

    package init(_ space: KeySpaceName, _ key: [UInt8]) {
        self.space = space
        self.key = key
    }
}

/// A key space and the model that its entries obey. All members must declare a space alike.
package struct SpaceDeclaration: Sendable {
    package let name: KeySpaceName
    package let model: any ConsistencyModel

    package init(_ name: KeySpaceName, _ model: any ConsistencyModel) {
        self.name = name
        self.model = model
    }
}

/// What one key holds, by the kind of its space.
package enum StateValue: Hashable, Sendable {
    /// A register's value.
    case bytes([UInt8])
    /// A set's elements, ascending; never empty.
    case elements([[UInt8]])
    case count(Int64)
}

/// What one key of a multi-writer space holds.
package struct StateEntry: Hashable, Sendable {
    package let key: [UInt8]
    package let value: StateValue
}

/// What one node wrote under one key of a single-writer space.
package struct OwnEntry: Hashable, Sendable {
    package let key: [UInt8]
    package let node: NodeID
    package let value: [UInt8]
}

/// Why a local write was refused. Nothing changed.
package enum GossipError: Error, Hashable, Sendable {
    case unknownSpace(KeySpaceName)
    /// The space's kind has no such change.
    case notOfThisKind
    /// The key is empty or beyond ``GossipLimits/keyBytes``.
    case keyLength(Int)
    /// The value or element is too long; says how long.
    case valueLength(Int)
    /// This writer has ``GossipSettings/entriesPerSpace`` entries in that space.
    case tooManyEntries(KeySpaceName)
    /// All entries together would exceed ``GossipSettings/mostBytes``.
    case full
    /// More writers have touched this element than one removal can name.
    case contended
    /// The counter would leave 63 bits.
    case overflow
}

package enum GossipEvent: Sendable {
    /// Due when a ``GossipDirective/wake(at:)`` says so; harmless at any other time.
    case tick
    /// The root of `from`, as it came with a ping or an ack.
    case passenger([UInt8], from: NodeID)
    case datagram([UInt8], from: NodeID)
    case frame([UInt8], from: NodeID)
    /// Frames to that node may have been lost.
    case unreachable(NodeID)
    /// Whom membership holds for alive, and all that it knows, dead ones included; both without this node or with it.
    case members(alive: [NodeID], known: [NodeID])
    /// Send what this node wrote to these now, as far as they are not known to have it.
    case push(to: [NodeID])
}

package enum GossipDirective: Hashable, Sendable {
    /// At most ``GossipLimits/datagramBytes``.
    case datagram([UInt8], to: NodeID)
    /// At most ``GossipLimits/frameBytes``.
    case frame([UInt8], to: NodeID)
    /// Step `.tick` then. A later one replaces an earlier one.
    case wake(at: MonotonicInstant)
    /// What is read under that name may have changed through a write of `writer`; also said for what this node itself
    /// wrote.
    case changed(StateName, writer: NodeID)
    /// That node's single-writer entries were dropped, as no member knows it any more.
    case forgotten(NodeID)
}
