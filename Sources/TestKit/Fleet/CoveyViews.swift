/// One of `covey peers --json`.
package struct PeerView: Decodable, Sendable {
    package let name: String
    package let state: String
    package let incarnation: Int
    /// Of one run of its process.
    package let start: String
}

/// One of `covey uploads --json`.
package struct UploadView: Decodable, Sendable {
    /// A log that is uploaded by another gateway than its own.
    package struct Relay: Decodable, Sendable {
        /// Of the log, where this gateway uploads it; the one that uploads it, where it is this gateway's.
        package let gateway: String
        package let log: String
        package let pending: Int
    }

    private enum CodingKeys: String, CodingKey {
        case state, pending, reason, relayed
        case relayedBy = "relayed_by"
    }

    package let state: String
    package let pending: Int
    /// Why nothing is sent though something is pending.
    package let reason: String?
    package let relayed: [Relay]
    package let relayedBy: [Relay]
}
