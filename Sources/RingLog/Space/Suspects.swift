package import Environment
import Model

/// Places that the disk did not give though it gave others: a bus may have hung, or the place is gone for good. It is held to be gone
/// when it is not given again a minute later.
struct Suspects: Sendable {
    private struct Place: Sendable {
        let found: DamagedRange
        let since: MonotonicInstant
        var last: MonotonicInstant
    }

    /// Nothing on a board hangs for longer and then goes on as if nothing had been.
    private static let patience = Duration.seconds(60)
    /// Of two failures further apart the first was another matter.
    private static let memory = Duration.seconds(3600)
    /// A card with more such places at a time is no disk any more; the others wait for their turn.
    private static let most = 256

    private var places: [Place] = []

    /// Whether the place is gone.
    mutating func isGone(_ found: DamagedRange, at now: MonotonicInstant) -> Bool {
        places.removeAll { $0.last.advanced(by: Self.memory) < now }
        guard let index = places.firstIndex(where: { $0.found.isSamePlace(as: found) }) else {
            if places.count < Self.most { places.append(Place(found: found, since: now, last: now)) }
            return false
        }
        guard places[index].since.advanced(by: Self.patience) <= now else {
            places[index].last = now
            return false
        }
        places.remove(at: index)
        return true
    }
}

extension DamagedRange {
    /// Plans cut ranges as they need them.
    fileprivate func isSamePlace(as other: DamagedRange) -> Bool {
        segment == other.segment && generation == other.generation && log == other.log && range.overlaps(other.range)
    }
}

extension RingLog {
    /// Takes in what readers were not given by a disk that gave what lies elsewhere. What it has not given for a minute is damaged.
    package mutating func noteUnread(_ unread: [DamagedRange], now: MonotonicInstant) -> [RingEvent] {
        let gone = unread.filter { suspects.isGone($0, at: now) }
        return gone.isEmpty ? [] : noteDamage(gone)
    }
}
