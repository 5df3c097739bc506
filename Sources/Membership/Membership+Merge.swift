import Environment
import Model

/// What a record does. `order` is (incarnation, start, state), compared in this order.
///
/// | about | record | effect |
/// |---|---|---|
/// | ourselves | see Membership+Self | |
/// | a stranger | with a profile | learned, unless gone for nearly as long as it is remembered, or forgotten since |
/// | a stranger | without a profile | passed over: a later state brings it |
/// | a known one | order lower | passed over |
/// | a known one | order equal, suspect | one more accuser |
/// | a known one | another start, present here at another address, told by itself | challenged first |
/// | a known one | dead, out of a page of state, present here | suspect only: it can contradict |
/// | a known one | order higher | taken over and told on |
extension Membership {
    /// Returns whether the record is wrong about us, so that its sender should be corrected.
    mutating func merge(
        _ record: MemberRecord, _ source: Source, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) -> Bool {
        guard record.node != identity.node else { return meetOwnRecord(record, now, &rng) }
        guard let index = index(of: record.node) else {
            learn(record, source, now, &rng)
            return false
        }
        var record = record
        let known = members[index]
        if source.isState, record.state == .dead, known.state.isPresent {
            record.state = .suspect
            record.accuser = source.sender
        }
        guard record.order > known.order else {
            if record.order == known.order, record.state == .suspect, let accuser = record.accuser {
                confirm(record.node, by: accuser, now)
            }
            return false
        }
        if record.start != known.identity.start {
            guard let profile = record.profile, !isJudged(record.start, now) else { return false }
            let isItself = source.sender == record.node && source.start == record.start
            if isItself, record.state == .alive, known.state.isPresent, profile.address != known.address {
                challenge(record, now)
                return false
            }
        }
        take(record, at: index, now, &rng)
        // Back from the dead, and speaking to us: there is a whole side to catch up with. Who only hears of it leaves
        // that to us.
        if source.sender == record.node, !known.state.isPresent, record.state == .alive {
            introduce(to: source.address, start: record.start, now)
        }
        return false
    }

    private mutating func learn(
        _ record: MemberRecord, _ source: Source, _ now: MonotonicInstant,
        _ rng: inout some RandomNumberGenerator
    ) {
        guard let profile = record.profile, record.state != .forgotten, !isJudged(record.start, now) else { return }
        if let tombstone = tombstones.first(where: { $0.node == record.node }) {
            let isNewer = (record.incarnation, record.start) > (tombstone.incarnation, tombstone.start)
            guard isNewer, record.state.isPresent else { return }
            tombstones.removeAll { $0.node == record.node }
        }
        let since = now.advanced(by: .seconds(-Int64(record.age)))
        if !record.state.isPresent {
            // Who is a little ahead has forgotten it already: it must not come back in the last hour.
            let margin = min(settings.forgetAfter / 2, .seconds(3600))
            guard Duration.seconds(Int64(record.age)) < settings.forgetAfter - margin else { return }
        }
        guard members.count < MembershipLimits.members else {
            if !hasWarnedOfSize {
                directives.append(
                    .alarm("more than \(MembershipLimits.members) members: \(profile.name) is not taken in"))
            }
            hasWarnedOfSize = true
            return
        }
        let member = Member(
            identity: MemberIdentity(
                node: record.node, start: record.start, name: profile.name, version: profile.version,
                features: profile.features),
            address: profile.address, incarnation: record.incarnation, state: record.state, since: since,
            extra: profile.extra)
        insert(member, now: now, using: &rng)
        if record.state == .suspect { suspect(record.node, by: record.accuser ?? record.node, now) }
        if source.bringsNews || source.sender == record.node { tell(record, now) }
    }

    /// Takes over what is newer.
    mutating func take(
        _ record: MemberRecord, at index: Int, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) {
        guard record.state != .forgotten else {
            // A living member is not forgotten because somebody says so.
            guard !members[index].state.isPresent else { return }
            bury(at: index, since: now.advanced(by: .seconds(-Int64(record.age))), now)
            return
        }
        var member = members[index]
        let before = member.state
        if let profile = record.profile, record.start != member.identity.start {
            member.identity = MemberIdentity(
                node: record.node, start: record.start, name: profile.name, version: profile.version,
                features: profile.features)
            member.address = profile.address
            member.extra = profile.extra
        }
        let isAnotherRun = record.start != members[index].identity.start
        member.incarnation = record.incarnation
        if before != record.state || isAnotherRun { member.since = now.advanced(by: .seconds(-Int64(record.age))) }
        member.state = record.state
        endSuspicion(of: record.node)
        challenges.removeAll { $0.record.node == record.node }
        replace(at: index, with: member, now: now, using: &rng)
        if record.state == .suspect { suspect(record.node, by: record.accuser ?? record.node, now) }
        if isAnotherRun, probe?.node == record.node { probe = nil }
        tell(record, now)
    }
}
