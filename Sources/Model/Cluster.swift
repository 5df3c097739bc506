/// Words that the parts of a covey share.

/// How often a member had to contradict rumours of its own death. Kept over restarts; only its owner raises it.
package struct Incarnation: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: Incarnation, right: Incarnation) -> Bool { left.rawValue < right.rawValue }

    package var next: Incarnation { Incarnation(rawValue + 1) }
}

/// One run of a gateway's process: random, drawn at every start.
package struct StartID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init(using generator: inout some RandomNumberGenerator) {
        self.init(generator.next())
    }

    package static func < (left: StartID, right: StartID) -> Bool { left.rawValue < right.rawValue }
}

extension StartID: CustomStringConvertible {
    /// 16 lower-case hexadecimal digits.
    package var description: String { hexadecimal(rawValue) }
}

/// Where a peer is reached, as its shell writes it: `10.0.0.2:8472`, `[fe80::1%eth0]:8472`. 1 to ``mostBytes`` bytes of UTF-8.
package struct PeerAddress: Hashable, Comparable, Sendable {
    package let text: String

    package static let mostBytes = 64

    /// `nil` where `text` is empty or too long.
    package init?(_ text: String) {
        guard (1...Self.mostBytes).contains(text.utf8.count) else { return nil }
        self.text = text
    }

    package static func < (left: PeerAddress, right: PeerAddress) -> Bool { left.text < right.text }
}

extension PeerAddress: CustomStringConvertible {
    package var description: String { text }
}

/// One log among those of all gateways. The log id alone is unique; the node says whose it is.
@usableFromInline package struct LogName: Hashable, Comparable, Sendable {
    @usableFromInline package let node: NodeID
    @usableFromInline package let log: LogID

    @inlinable package init(node: NodeID, log: LogID) {
        self.node = node
        self.log = log
    }

    @inlinable package static func < (left: LogName, right: LogName) -> Bool {
        (left.node, left.log) < (right.node, right.log)
    }
}

extension LogName: CustomStringConvertible {
    /// `NODE/LOG`.
    @usableFromInline package var description: String { "\(node)/\(log)" }
}

/// What a receipt speaks of: the same on every gateway that is configured with the same kind and target.
package struct SinkID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: SinkID, right: SinkID) -> Bool { left.rawValue < right.rawValue }
}

extension SinkID: CustomStringConvertible {
    /// 16 lower-case hexadecimal digits.
    package var description: String { hexadecimal(rawValue) }
}
