import CAvahi
import Model

/// A conversation with Avahi's daemon: an announcement that stands as long as it does, and a watch over those of others.
///
/// Everything but ``wake()`` is for one thread, and may block it.
package final class MDNSSession: @unchecked Sendable {
    private let session: OpaquePointer

    /// Throws where there is no library, no D-Bus or no daemon.
    package init(_ announcement: Announcement) throws(MDNSError) {
        var reason = Reason()
        let session = reason.write {
            covey_avahi_start(
                announcement.name, announcement.port, announcement.version, announcement.key, announcement.withIPv6, $0)
        }
        guard let session else { throw MDNSError(description: reason.text) }
        self.session = session
    }

    deinit { covey_avahi_stop(session) }

    /// Waits until something happens, at most for so long, and deals with it. Throws where the session is of no use any more, as the
    /// daemon ended.
    package func work(atMost limit: Duration) throws(MDNSError) {
        let milliseconds = Int32(clamping: limit / .milliseconds(1), atMost: 3_600_000)
        var reason = Reason()
        guard reason.write({ covey_avahi_work(session, milliseconds, $0) }) else {
            throw MDNSError(description: reason.text)
        }
    }

    /// Lets ``work(atMost:)`` return; from any thread.
    package func wake() { covey_avahi_wake(session) }

    package var sighting: Sighting {
        var sighting = Sighting()
        sighting.isAnnounced = covey_avahi_is_announced(session)
        sighting.passedOver = covey_avahi_passed_over(session)
        var found = [covey_avahi_gateway](
            repeating: covey_avahi_gateway(), count: COVEY_AVAHI_MOST_FOUND)
        let count = covey_avahi_found(session, &found)
        for gateway in found.prefix(count) {
            guard let neighbour = Neighbour(gateway), !sighting.neighbours.contains(neighbour) else { continue }
            sighting.neighbours.append(neighbour)
        }
        return sighting
    }
}

extension Neighbour {
    fileprivate init?(_ gateway: covey_avahi_gateway) {
        let host = text(gateway.address)
        guard let address = PeerAddress(host.contains(":") ? "[\(host)]:\(gateway.port)" : "\(host):\(gateway.port)")
        else { return nil }
        self.init(address: address, key: text(gateway.key))
    }
}

/// A C function's word on what went wrong.
private struct Reason {
    private var bytes = [CChar](repeating: 0, count: COVEY_AVAHI_ERROR_BYTES)

    mutating func write<Result>(_ call: (UnsafeMutablePointer<CChar>?) -> Result) -> Result {
        bytes.withUnsafeMutableBufferPointer { call($0.baseAddress) }
    }

    var text: String { String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) }
}

/// The characters of a C array, up to the 0 that ends them.
private func text<Characters>(_ characters: Characters) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

extension Int32 {
    fileprivate init(clamping value: Double, atMost most: Int32) {
        self = Int32(Swift.min(Swift.max(value, 0), Double(most)))
    }
}
