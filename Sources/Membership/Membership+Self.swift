import Environment
import Model

/// What is said about ourselves. Only here does our incarnation rise.
///
/// | start | incarnation | state | effect |
/// |---|---|---|---|
/// | ours | lower | alive | none |
/// | ours | lower | other | the sender is corrected |
/// | ours | equal | alive | none |
/// | ours | equal | other | contradicted: one higher than it, kept, told |
/// | ours | higher | any | the same: our own memory was lost, or somebody lies |
/// | another | lower | any | the sender is corrected |
/// | another | equal or higher | any | the same as contradicted: this run must overrule the earlier one |
/// | another | any, if present elsewhere | | besides, that address is challenged: it may be a clone |
extension Membership {
    /// Returns whether the sender should be told what is right.
    mutating func meetOwnRecord(
        _ record: MemberRecord, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) -> Bool {
        // Who leaves does not contradict: gone is gone.
        guard phase == .running else { return false }
        let isOurs = record.start == identity.start
        if !isOurs, record.state.isPresent, let profile = record.profile, profile.address != address {
            challenge(record, now)
        }
        if record.incarnation < incarnation { return !isOurs || record.state != .alive }
        if isOurs, record.incarnation == incarnation, record.state == .alive { return false }
        if isOurs {
            counts.refutations += 1
            worsenHealth(by: 1)
        }
        digest &-= Self.mix(identity.node, identity.start, incarnation, .alive)
        incarnation = record.incarnation.next
        digest &+= Self.mix(identity.node, identity.start, incarnation, .alive)
        directives.append(.keep(incarnation))
        tell(ownRecord(now), now)
        return true
    }

    mutating func worsenHealth(by count: Int) {
        localHealth = min(localHealth + count, settings.mostLocalHealth)
    }

    mutating func improveHealth() {
        localHealth = max(localHealth - 1, 0)
    }
}
