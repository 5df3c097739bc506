import Environment
package import Model

/// A member that was forgotten by hand: kept so that those who have not heard do not bring it back.
struct Tombstone: Hashable, Sendable {
    let node: NodeID
    let start: StartID
    let incarnation: Incarnation
    let since: MonotonicInstant
}

extension Membership {
    /// `nil` where `node` is unknown, or this member itself.
    package func member(_ node: NodeID) -> Member? {
        index(of: node).map { members[$0] }
    }

    func index(of node: NodeID) -> Int? {
        let position = insertionPoint(of: node)
        return position < members.count && members[position].node == node ? position : nil
    }

    func insertionPoint(of node: NodeID) -> Int {
        var low = 0
        var high = members.count
        while low < high {
            let middle = (low + high) / 2
            if members[middle].node < node { low = middle + 1 } else { high = middle }
        }
        return low
    }

    static func mix(_ node: NodeID, _ start: StartID, _ incarnation: Incarnation, _ state: MemberState) -> UInt64 {
        // A suspicion is over soon, one way or the other: it makes no difference worth a state.
        let rank: UInt64 = state.isPresent ? 0 : UInt64(state.rawValue)
        var mixed: UInt64 = 0x9E37_79B9_7F4A_7C15
        for word in [node.high, node.low, start.rawValue, incarnation.rawValue, rank] {
            mixed = (mixed ^ word) &* 0xBF58_476D_1CE4_E5B9
            mixed ^= mixed >> 29
        }
        return mixed
    }

    private func mix(_ member: Member) -> UInt64 {
        Self.mix(member.node, member.identity.start, member.incarnation, member.state)
    }

    // MARK: Changing. All changes of `members` go through these three.

    mutating func insert(_ member: Member, now: MonotonicInstant, using rng: inout some RandomNumberGenerator) {
        members.insert(member, at: insertionPoint(of: member.node))
        list(member.node, member.state)
        digest &+= mix(member)
        account(for: member, by: 1, now)
        if member.state.isPresent { enterProbeOrder(member.node, now, &rng) }
        directives.append(.changed(member))
    }

    mutating func replace(
        at index: Int, with member: Member, now: MonotonicInstant, using rng: inout some RandomNumberGenerator
    ) {
        let before = members[index]
        members[index] = member
        if before.state != member.state { list(member.node, member.state) }
        digest = digest &- mix(before) &+ mix(member)
        if before.state == .alive, member.state == .suspect { counts.suspicions += 1 }
        if before.state.isPresent, member.state == .dead { counts.deaths += 1 }
        if before.state != member.state, !(before.state.isPresent && member.state.isPresent) {
            account(for: before, by: -1, now)
            account(for: member, by: 1, now)
            if member.state.isPresent, !before.state.isPresent { enterProbeOrder(member.node, now, &rng) }
        }
        if before.state != member.state || before.identity != member.identity || before.address != member.address {
            directives.append(.changed(member))
        }
    }

    mutating func remove(at index: Int, now: MonotonicInstant) {
        var member = members.remove(at: index)
        list(member.node, .forgotten)
        digest &-= mix(member)
        account(for: member, by: -1, now)
        member.state = .forgotten
        member.since = now
        directives.append(.changed(member))
    }

    private mutating func list(_ node: NodeID, _ state: MemberState) {
        if state.isPresent { presentNodes.enter(node) } else { presentNodes.leave(node) }
        if state == .left || state == .forgotten { lastingNodes.leave(node) } else { lastingNodes.enter(node) }
    }

    private mutating func account(for member: Member, by difference: Int, _ now: MonotonicInstant) {
        if member.state == .dead { deadCount += difference }
        if member.state.isPresent {
            presentCount += difference
            scale = Scale(members: presentCount + 1, settings: settings)
        } else if difference > 0 {
            forgetAt = min(forgetAt, max(member.since.advanced(by: settings.forgetAfter), now))
        }
    }

    // MARK: Forgetting

    /// Drops what is gone for long enough; nobody needs to be told, since all count from the same moment.
    mutating func forgetOld(_ now: MonotonicInstant) {
        let before = now.advanced(by: .zero - settings.forgetAfter)
        var next = MonotonicInstant.never
        for index in members.indices.reversed() where !members[index].state.isPresent {
            if members[index].since <= before {
                remove(at: index, now: now)
            } else {
                next = min(next, members[index].since.advanced(by: settings.forgetAfter))
            }
        }
        tombstones.removeAll { $0.since <= before }
        for tombstone in tombstones { next = min(next, tombstone.since.advanced(by: settings.forgetAfter)) }
        forgetAt = next
    }

    mutating func forget(_ node: NodeID, _ now: MonotonicInstant) {
        guard let index = index(of: node), !members[index].state.isPresent else { return }
        bury(at: index, since: now, now)
    }

    /// Removes a member, remembers it as forgotten, and tells all.
    mutating func bury(at index: Int, since: MonotonicInstant, _ now: MonotonicInstant) {
        let member = members[index]
        remove(at: index, now: now)
        tombstones.removeAll { $0.node == member.node }
        if tombstones.count == MembershipLimits.tombstones { tombstones.removeFirst() }
        let tombstone = Tombstone(
            node: member.node, start: member.identity.start, incarnation: member.incarnation, since: since)
        tombstones.append(tombstone)
        forgetAt = min(forgetAt, max(since.advanced(by: settings.forgetAfter), now))
        tell(record(of: tombstone, now), now)
    }

    func record(of tombstone: Tombstone, _ now: MonotonicInstant) -> MemberRecord {
        MemberRecord(
            node: tombstone.node, start: tombstone.start, incarnation: tombstone.incarnation, state: .forgotten,
            age: UInt64(max(tombstone.since.duration(to: now).components.seconds, 0)))
    }

    // MARK: Choosing

    /// Up to `count` different present members in random order, without the given one; O(count) unless most members
    /// are gone.
    func randomPresent(
        _ count: Int, besides excluded: NodeID?, using rng: inout some RandomNumberGenerator
    ) -> [Member] {
        var chosen: [Member] = []
        let eligible = presentCount - (excluded.flatMap { member($0) }?.state.isPresent == true ? 1 : 0)
        guard eligible > 0, count > 0 else { return [] }
        let wanted = min(count, eligible)
        func isWanted(_ member: Member) -> Bool {
            member.state.isPresent && member.node != excluded && !chosen.contains { $0.node == member.node }
        }
        for _ in 0..<(4 * wanted + 4) where chosen.count < wanted {
            let candidate = members[Int.random(in: members.indices, using: &rng)]
            if isWanted(candidate) { chosen.append(candidate) }
        }
        var position = Int.random(in: members.indices, using: &rng)
        for _ in members.indices where chosen.count < wanted {
            if isWanted(members[position]) { chosen.append(members[position]) }
            position = (position + 1) % members.count
        }
        return chosen
    }
}
