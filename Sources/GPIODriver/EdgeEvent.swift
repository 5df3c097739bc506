package import Model

/// One edge as the kernel reported it.
package struct EdgeEvent: Hashable, Sendable {
    /// `CLOCK_MONOTONIC`, taken by the kernel when the edge came.
    package let nanoseconds: Int64
    /// Towards the active level.
    package let isRising: Bool
    /// The line's own number of this edge, from 1; 0 where the kernel interface has none.
    package let sequence: UInt32

    package init(nanoseconds: Int64, isRising: Bool, sequence: UInt32 = 0) {
        self.nanoseconds = nanoseconds
        self.isRising = isRising
        self.sequence = sequence
    }
}

/// What a line says at one moment, on the clock of the edges.
package struct LineReading: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case level(Bool)
        case count(UInt64)
        /// Hertz.
        case frequency(Double)
    }

    package let content: Content
    /// ``Quality/good`` or ``Quality/edgesMissed``.
    package let quality: Quality
    /// `CLOCK_MONOTONIC`.
    package let nanoseconds: Int64

    package init(_ content: Content, quality: Quality = .good, nanoseconds: Int64) {
        self.content = content
        self.quality = quality
        self.nanoseconds = nanoseconds
    }
}
