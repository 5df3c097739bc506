// Pure.
package import Model

/// How a gateway stands with a broker that others read as well.
package struct SharedFeedStatus: Hashable, Sendable {
    /// Others were waited for.
    package let isSettled: Bool
    /// Others may count on this gateway.
    package let isServing: Bool
    /// … and it takes its share.
    package let isConfirmed: Bool
    /// Others that read the same.
    package let companions: [NodeID]
    /// Messages in memory.
    package let waiting: Int
    package let counts: SharedFeedCounts
}
