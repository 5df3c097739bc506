import Synchronization

/// What the link did, for status and metrics. Counts since the process started.
package struct LinkCounts: Hashable, Sendable {
    package var datagramsSent: UInt64 = 0
    package var datagramBytesSent: UInt64 = 0
    package var datagramsReceived: UInt64 = 0
    package var datagramBytesReceived: UInt64 = 0
    package var framesSent: UInt64 = 0
    package var frameBytesSent: UInt64 = 0
    package var framesReceived: UInt64 = 0
    package var frameBytesReceived: UInt64 = 0
    /// Datagrams that were not sent: the socket is full or closed, or the address is none.
    package var datagramsUnsent: UInt64 = 0
    /// Genuine datagrams that came faster than the gateway takes them.
    package var datagramsOverrun: UInt64 = 0
    /// What strangers, and broken senders, sent: by reason.
    package var refused: [String: UInt64] = [:]
    /// Certificates that were refused last, in words: whose, from where, why. Each once, the newest last.
    package private(set) var certificates: [String] = []

    /// As many as a person reads.
    private static let mostCertificates = 8

    mutating func note(certificate: String) {
        certificates.removeAll { $0 == certificate }
        if certificates.count >= Self.mostCertificates { certificates.removeFirst() }
        certificates.append(certificate)
    }

    package init() {}
}

final class LinkCounters: Sendable {
    private let counts = Mutex(LinkCounts())

    var all: LinkCounts { counts.withLock { $0 } }

    func add(_ change: (inout LinkCounts) -> Void) { counts.withLock { change(&$0) } }

    func refuse(_ refusal: OwnCertificates.Refusal, from host: String) {
        counts.withLock { counts in
            counts.refused["streams with \(refusal.kind)", default: 0] += 1
            counts.note(certificate: "\(refusal.text) (\(host))")
        }
    }

    func refuse(_ reason: String) { counts.withLock { $0.refused[reason, default: 0] += 1 } }
}
