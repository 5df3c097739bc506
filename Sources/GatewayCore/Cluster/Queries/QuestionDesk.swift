import Model

/// A peer's question that waits, or is being read for.
struct AskedQuestion: Hashable, Sendable {
    let id: QuestionID
    let peer: NodeID
    let question: PeerQuestion
}

/// Totals since the start.
package struct QuestionCounts: Hashable, Sendable {
    /// Pages given to peers, their readings' bytes.
    package internal(set) var pages: UInt64 = 0
    package internal(set) var bytes: UInt64 = 0
    /// Questions that were turned away because too many waited, and those that could not be answered.
    package internal(set) var turnedAway: UInt64 = 0
    package internal(set) var refused: UInt64 = 0
    /// Questions that are none.
    package internal(set) var malformed: UInt64 = 0
    /// Of this gateway's own queries: pages that came, holders that did not answer in time, and those that answered with something
    /// that was not asked for.
    package internal(set) var asked = AskedCounts()
}

/// Questions of peers, of which one is read for at a time. Pure.
package struct QuestionDesk: Sendable {
    private(set) var waiting: [AskedQuestion] = []
    private(set) var reading: AskedQuestion?
    package internal(set) var counts = QuestionCounts()

    /// Whether there is room for it.
    mutating func take(_ asked: AskedQuestion) -> Bool {
        let all = waiting + (reading.map { [$0] } ?? [])
        // Asked twice is asked once.
        if all.contains(where: { $0.id == asked.id && $0.peer == asked.peer }) { return true }
        guard all.count < QueryLimits.waitingInAll,
            all.count(where: { $0.peer == asked.peer }) < QueryLimits.waitingPerPeer
        else {
            counts.turnedAway += 1
            return false
        }
        waiting.append(asked)
        return true
    }

    /// The next to be read for, where nothing is; ends with ``finish(_:)``.
    mutating func next() -> AskedQuestion? {
        guard reading == nil, !waiting.isEmpty else { return nil }
        reading = waiting.removeFirst()
        return reading
    }

    /// Whether that was being read for.
    mutating func finish(_ id: QuestionID) -> Bool {
        guard reading?.id == id else { return false }
        reading = nil
        return true
    }

    /// Who asked does not wait any more.
    mutating func drop(_ peer: NodeID) { waiting.removeAll { $0.peer == peer } }
}
