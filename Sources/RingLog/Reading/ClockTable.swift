package import LogFormat
package import Model

/// A time as readers and sinks are told it.
package struct RenderedTime: Hashable, Sendable {
    package let time: Milliseconds
    /// Whether the clock was right then, or an anchor has put it right since.
    package let isTrusted: Bool

    package init(time: Milliseconds, isTrusted: Bool) {
        self.time = time
        self.isTrusted = isTrusted
    }
}

/// Tells the wall time of stamps: stored bytes never change, anchors correct how they are told.
package struct ClockTable: Sendable {
    /// Oldest first.
    package private(set) var anchors: [ClockAnchor] = []
    private var offsets: [BootID: Microseconds] = [:]
    /// Boots remembered. A ring holds days; a board that boots more often has other worries.
    private static let mostAnchors = 256

    package init() {}

    /// Tells what somebody who knows these tells.
    package init(_ anchors: [ClockAnchor]) {
        for anchor in anchors { _ = set(anchor) }
    }

    /// Whether that changed anything.
    mutating func set(_ anchor: ClockAnchor) -> Bool {
        guard offsets[anchor.boot] != anchor.wallOffset else { return false }
        offsets[anchor.boot] = anchor.wallOffset
        anchors.removeAll { $0.boot == anchor.boot }
        anchors.append(anchor)
        if anchors.count > Self.mostAnchors { offsets[anchors.removeFirst().boot] = nil }
        return true
    }

    /// Takes over what another gateway says of a boot that nothing is known of. Returns whether that changed anything.
    mutating func adopt(_ anchor: ClockAnchor) -> Bool { offsets[anchor.boot] == nil && set(anchor) }

    /// The stamp's own estimate where its clock was trusted, else the anchor's, else the estimate as not trusted.
    package func time(of stamp: Stamp) -> RenderedTime {
        if stamp.isTrusted { return RenderedTime(time: stamp.wall, isTrusted: true) }
        guard let offset = offsets[stamp.boot] else { return RenderedTime(time: stamp.wall, isTrusted: false) }
        let anchored = Stamp(boot: stamp.boot, uptime: stamp.uptime, wallOffset: offset, isTrusted: true)
        return RenderedTime(time: anchored.wall, isTrusted: true)
    }
}
