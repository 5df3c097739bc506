import Synchronization

/// Streams that others opened and that have not shown yet that they are a peer's. Strangers who open thousands take places from one another,
/// never from a peer that comes and shows itself: where all places are taken, the oldest of the host with the most has to go.
final class Doorstep: Sendable {
    /// More than any gateway opens at once.
    static let mostPerHost = 32
    /// Of all hosts. Each costs some 30 KiB, and a small board has not many of those.
    static let most = 128

    private struct Guest {
        let id: UInt64
        let host: String
        let close: @Sendable () -> Void
    }

    private struct State {
        /// Oldest first.
        var guests: [Guest] = []
        var last: UInt64 = 0
    }

    enum Answer {
        /// It may stay until it has shown itself; who enters leaves. `displaced`: another had to make room.
        case welcome(id: UInt64, displaced: Bool)
        /// Its host has as many already as one may have.
        case crowded
    }

    private let state = Mutex(State())

    /// - Parameter close: Ends the stream, from any thread.
    func enter(_ host: String, close: @escaping @Sendable () -> Void) -> Answer {
        let (answer, displaced) = state.withLock { state -> (Answer, Guest?) in
            guard state.guests.count(where: { $0.host == host }) < Self.mostPerHost else { return (.crowded, nil) }
            var displaced: Guest?
            if state.guests.count >= Self.most, let index = Self.oldestOfMost(state.guests) {
                displaced = state.guests.remove(at: index)
            }
            state.last += 1
            state.guests.append(Guest(id: state.last, host: host, close: close))
            return (.welcome(id: state.last, displaced: displaced != nil), displaced)
        }
        displaced?.close()
        return answer
    }

    func leave(_ id: UInt64) {
        state.withLock { state in
            if let index = state.guests.firstIndex(where: { $0.id == id }) { state.guests.remove(at: index) }
        }
    }

    private static func oldestOfMost(_ guests: [Guest]) -> Int? {
        var counts: [String: Int] = [:]
        for guest in guests { counts[guest.host, default: 0] += 1 }
        let most = counts.values.max()
        return guests.firstIndex { counts[$0.host] == most }
    }
}
