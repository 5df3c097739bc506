// Pure.
package import Model

/// One life of a node, ordered: of two, the greater is the newer. Incarnations rise at every start, whatever the wall
/// clock says.
package struct Life: Hashable, Comparable, Sendable {
    package let incarnation: Incarnation
    package let start: StartID

    package init(incarnation: Incarnation, start: StartID) {
        self.incarnation = incarnation
        self.start = start
    }

    package static func < (left: Life, right: Life) -> Bool {
        (left.incarnation, left.start) < (right.incarnation, right.start)
    }
}

/// One stream of writes, numbered 1, 2, 3 …: a life has one for single-writer spaces, which ends with the life, and one
/// for shared ones, which outlives it.
package struct WriterID: Hashable, Comparable, Sendable {
    package let node: NodeID
    package let life: Life
    package let isShared: Bool

    package init(node: NodeID, life: Life, isShared: Bool) {
        self.node = node
        self.life = life
        self.isShared = isShared
    }

    package static func < (left: WriterID, right: WriterID) -> Bool {
        if left.node != right.node { return left.node < right.node }
        if left.life != right.life { return left.life < right.life }
        return !left.isShared && right.isShared
    }

    /// The same on every member: pages are ordered by it, and sets name writers by it.
    package var tag: UInt64 {
        var mixed = mix(node.high, node.low)
        mixed = mix(mixed, life.incarnation.rawValue)
        mixed = mix(mixed, life.start.rawValue)
        return mix(mixed, isShared ? 1 : 0)
    }
}

/// A good enough hash of two words; not for secrets.
@inline(__always) func mix(_ first: UInt64, _ second: UInt64) -> UInt64 {
    var mixed = (first ^ 0x9E37_79B9_7F4A_7C15) &* 0xFF51_AFD7_ED55_8CCD
    mixed ^= mixed >> 32
    mixed = (mixed ^ second) &* 0xC4CE_B9FE_1A85_EC53
    return mixed ^ (mixed >> 29)
}
