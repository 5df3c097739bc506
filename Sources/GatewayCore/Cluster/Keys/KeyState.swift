package import Model

/// A key of the covey as the machines here carry it: they neither seal nor open anything with it.
package struct KeySecret: Hashable, Sendable {
    package static let byteCount = 32

    /// What names the key in the open: a hash of its bytes, made above.
    package let id: UInt32
    package let bytes: [UInt8]

    /// - Parameter bytes: ``byteCount`` of them.
    package init(id: UInt32, bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount, "a key of \(bytes.count) bytes")
        self.id = id
        self.bytes = bytes
    }
}

/// Names one change of the covey's key. Of two the greater one counts.
package struct RotationID: Hashable, Comparable, Sendable {
    package let number: UInt64
    /// Who began it.
    package let node: NodeID

    package init(number: UInt64, node: NodeID) {
        self.number = number
        self.node = node
    }

    package static func < (left: RotationID, right: RotationID) -> Bool {
        (left.number, left.node) < (right.number, right.node)
    }
}

/// How far one gateway is with a change of the key. Each only after what it says is on its disk. Raw values are part of the protocol.
package enum KeyStage: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    /// Knows of it and has not got the key yet.
    case lacking = 0
    /// Understands the new key, speaks with the one before.
    case installed = 1
    /// Speaks with the new key, understands the one before.
    case using = 2
    /// Knows the new key alone.
    case done = 3

    package static func < (left: KeyStage, right: KeyStage) -> Bool { left.rawValue < right.rawValue }
}

/// One change of the key, as far as this gateway is with it.
package struct Rotation: Hashable, Sendable {
    package var id: RotationID
    /// The key that is to be the only one.
    package var target: UInt32
    package var stage: KeyStage
    /// The others that must have it, ascending. Kept over restarts, as a gateway that has just started knows nobody.
    package var awaited: [NodeID] = []
    /// Those of them for whom its use does not wait, ascending. The key before stays known until they have it, too.
    package var skipped: [NodeID] = []

    package init(id: RotationID, target: UInt32, stage: KeyStage) {
        self.id = id
        self.target = target
        self.stage = stage
    }
}

/// The keys that a gateway knows and what it is doing with them: what must outlive the process.
package struct KeyState: Hashable, Sendable {
    /// Keys that are known at a time at most; a change that finds no room waits.
    package static let mostKeys = 8

    /// The one to speak with first.
    package var keys: [KeySecret]
    /// The newest change that is known; `nil` where there never was one.
    package var rotation: Rotation?

    /// - Parameter keys: At least one.
    package init(keys: [KeySecret], rotation: Rotation? = nil) {
        precondition(!keys.isEmpty, "a gateway without a key")
        self.keys = keys
        self.rotation = rotation
    }

    package func knows(_ id: UInt32) -> Bool { keys.contains { $0.id == id } }

    /// Whether a change is under way.
    package var isChanging: Bool { rotation.map { $0.stage != .done } ?? false }
}
