import Environment
import Model

/// A member's time to contradict. It shrinks with every independent accuser: from the most to the least as log(c + 1)
/// / log(k + 1).
struct Suspicion: Hashable, Sendable {
    let node: NodeID
    var since: MonotonicInstant
    /// The first, and at most k more.
    var accusers: [NodeID]
}

extension Membership {
    /// How long a suspicion with so many confirmations may last.
    func suspicionTime(confirmations: Int) -> Duration {
        scale.suspicionTimes[min(confirmations, scale.suspicionTimes.count - 1)]
    }

    func accuser(of node: NodeID) -> NodeID? {
        suspicionIndex(of: node).flatMap { suspicions[$0].accusers.first }
    }

    private func suspicionIndex(of node: NodeID) -> Int? {
        let position = suspicionPoint(of: node)
        return position < suspicions.count && suspicions[position].node == node ? position : nil
    }

    private func suspicionPoint(of node: NodeID) -> Int {
        var low = 0
        var high = suspicions.count
        while low < high {
            let middle = (low + high) / 2
            if suspicions[middle].node < node { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func deadline(_ suspicion: Suspicion) -> MonotonicInstant {
        suspicion.since.advanced(by: suspicionTime(confirmations: suspicion.accusers.count - 1))
    }

    mutating func suspect(_ node: NodeID, by accuser: NodeID, _ now: MonotonicInstant) {
        guard suspicionIndex(of: node) == nil else { return }
        let suspicion = Suspicion(node: node, since: now, accusers: [accuser])
        suspicions.insert(suspicion, at: suspicionPoint(of: node))
        nextSuspicionAt = min(nextSuspicionAt, deadline(suspicion))
    }

    /// One more accuser. As long as it still shortens the time, others are told of it too.
    mutating func confirm(_ node: NodeID, by accuser: NodeID, _ now: MonotonicInstant) {
        guard let position = suspicionIndex(of: node), let index = index(of: node), accuser != node,
            suspicions[position].accusers.count <= scale.confirmations,
            !suspicions[position].accusers.contains(accuser)
        else { return }
        suspicions[position].accusers.append(accuser)
        nextSuspicionAt = min(nextSuspicionAt, deadline(suspicions[position]))
        tell(members[index].record(accuser: accuser, now: now, withProfile: false), now)
    }

    mutating func endSuspicion(of node: NodeID) {
        if let position = suspicionIndex(of: node) { suspicions.remove(at: position) }
    }

    /// Those whose time is over are dead. Refutable all the same.
    mutating func endSuspicions(_ now: MonotonicInstant, using rng: inout some RandomNumberGenerator) {
        for node in suspicions.filter({ deadline($0) <= now }).map(\.node) {
            guard let index = index(of: node) else { continue }
            var record = members[index].record(accuser: nil, now: now, withProfile: false)
            record.state = .dead
            take(record, at: index, now, &rng)
        }
        nextSuspicionAt = .never
        for suspicion in suspicions { nextSuspicionAt = min(nextSuspicionAt, deadline(suspicion)) }
    }
}
