import LogFormat

/// The newest delivery marks, oldest first, each in eight bytes: thousands of them are kept for as long as the process lives.
struct MarkTable: Sendable {
    /// By the number that stands for a session in ``order``. A slot is used anew when all are taken.
    private var sessions: [String] = []
    private var nextSlot = 0
    private var order: [UInt64] = []
    private var known: Set<UInt64> = []

    /// The number has eight bits. A gateway has a few brokers, whose sessions are seldom lost.
    private static let mostSessions = 256

    var count: Int { order.count }

    func contains(_ mark: DeliveryMark) -> Bool {
        sessions.firstIndex(of: mark.session).map { known.contains(Self.packed(mark, $0)) } ?? false
    }

    /// Returns whether it is new.
    mutating func append(_ mark: DeliveryMark) -> Bool {
        let packed = Self.packed(mark, slot(of: mark.session))
        guard known.insert(packed).inserted else { return false }
        order.append(packed)
        return true
    }

    mutating func removeFirst(_ count: Int) {
        for old in order.prefix(count) { known.remove(old) }
        order.removeFirst(count)
    }

    /// The newest of them, oldest first.
    func suffix(_ count: Int) -> [DeliveryMark] {
        order.suffix(count).map { packed in
            DeliveryMark(
                session: sessions[Int(packed >> 48)], message: UInt16(truncatingIfNeeded: packed >> 32), hash: packed)
        }
    }

    private mutating func slot(of session: String) -> Int {
        if let slot = sessions.firstIndex(of: session) { return slot }
        guard sessions.count == Self.mostSessions else {
            sessions.append(session)
            return sessions.count - 1
        }
        let slot = nextSlot
        nextSlot = (nextSlot + 1) % Self.mostSessions
        order.removeAll { $0 >> 48 == UInt64(slot) }
        known = Set(order)
        sessions[slot] = session
        return slot
    }

    /// Slot, message id and the 32 bits of the hash that are kept, from the top.
    private static func packed(_ mark: DeliveryMark, _ slot: Int) -> UInt64 {
        UInt64(slot) << 48 | UInt64(mark.message) << 32 | mark.hash
    }
}
