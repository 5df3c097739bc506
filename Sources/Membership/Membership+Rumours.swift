import Environment
import Model

extension Membership {
    /// Passes news on: it rides on pings and acks, and as long as there is any, in datagrams of its own.
    mutating func tell(_ record: MemberRecord, _ now: MonotonicInstant) {
        guard presentCount > 0 else { return }
        // Who hears of an alive one, or of one that is gone, may not know it yet; a suspect is known, or not missed.
        var record = record
        if record.state != .suspect, record.profile == nil, let member = member(record.node) {
            record.profile = member.record(accuser: nil, now: now, withProfile: true).profile
        }
        rumours.put(record.bytes, about: record.node)
        let free = lastGossipAt.map { $0.advanced(by: settings.gossipInterval) } ?? now
        nextGossipAt = min(nextGossipAt, max(now, free))
    }

    mutating func gossip(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        nextGossipAt = .never
        if presentCount == 0 { rumours.removeAll() }
        guard !rumours.isEmpty else { return }
        lastGossipAt = now
        for member in randomPresent(settings.gossipFanout, besides: nil, using: &rng) where !rumours.isEmpty {
            sendWithRumours(.rumours([]), to: member.identity.start, at: member.address)
        }
        if !rumours.isEmpty { nextGossipAt = now.advanced(by: settings.gossipInterval) }
    }
}
