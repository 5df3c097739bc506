// Pure.
package import Model

/// How a gateway stands with a broker that others read as well.
package struct SharedFeedStatus: Hashable, Sendable {
    package enum Stage: Hashable, Sendable {
        /// Not connected.
        case away
        /// Others take everything yet.
        case listens
        /// Until it is known who else is there, or others have handed over.
        case waits
        /// It takes its share.
        case reads
    }

    package let stage: Stage
    /// Others that read the same.
    package let companions: [NodeID]
    /// Messages in memory.
    package let waiting: Int
    package let counts: SharedFeedCounts
}
