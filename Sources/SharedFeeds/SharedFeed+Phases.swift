// Pure.
import Environment
import Model

/// How a gateway comes to read, and how it stops.
extension SharedFeed {
    // MARK: What happens

    mutating func setMembers(
        _ own: NodeID, _ present: [NodeID], now: MonotonicInstant, _ out: inout [SharedFeedDirective<Payload>]
    ) {
        if own != node {
            node = own
            beginAnew(now: now, &out)
        }
        self.present = present.sorted()
        if !present.isEmpty, metAt == nil { metAt = now }
        isDisturbed = true
    }

    mutating func setRoutes(
        _ routes: [RouteID], now: MonotonicInstant, _ out: inout [SharedFeedDirective<Payload>]
    ) {
        guard routes.sorted() != self.routes else { return }
        self.routes = routes.sorted()
        beginAnew(now: now, &out)
        isDisturbed = true
    }

    /// Says anew what this gateway reads, and waits again until others know.
    private mutating func beginAnew(now: MonotonicInstant, _ out: inout [SharedFeedDirective<Payload>]) {
        guard case .serving = phase else { return }
        epoch &+= 1
        announce(now: now, &out)
    }

    mutating func hear(_ entry: SharedFeedEntry?, of node: NodeID, now: MonotonicInstant) {
        guard node != self.node else { return }
        let known = peers.firstIndex { $0.node == node }
        if let known, peers[known].entry.epoch == entry?.epoch {
            if let entry { peers[known].entry = entry }
            isDisturbed = true
            return
        }
        if let known {
            if peers[known].isWitnessed, !absentees.contains(node), absentees.count < SharedFeedLimits.absentees {
                absentees.append(node)
            }
        }
        isDisturbed = true
        guard let entry else { return peers.removeAll { $0.node == node } }
        var peer = Peer(node: node, entry: entry, since: now, next: reportsBase, horizon: nextTaken)
        peer.isCovered = absentees.contains(node)
        absentees.removeAll { $0 == node }
        if let known {
            // Only its routes are other ones: it has not been away.
            if entry.epoch == peers[known].entry.epoch &+ 1 { peer.since = peers[known].since }
            peers[known] = peer
        } else {
            peers.append(peer)
        }
    }

    mutating func linkUp(_ epoch: UInt64, now: MonotonicInstant) {
        if case .serving = phase {
            lostAt = nil
            return
        }
        guard phase == .away else { return }
        phase = .joining(since: now)
        self.epoch = epoch
        // What was reported meanwhile was for others; all of it comes again.
        credits = Credits()
        heard = []
        isDisturbed = true
    }

    mutating func linkDown(now: MonotonicInstant) {
        switch phase {
        case .away: break
        case .joining:
            phase = .away
            isDisturbed = true
        case .serving:
            lostAt = lostAt ?? now
            lastReportAt = nil
        }
    }

    // MARK: What follows

    mutating func proceed(now: MonotonicInstant, _ out: inout [SharedFeedDirective<Payload>]) {
        if !isSettled, settledAt.map({ $0 <= now }) ?? false {
            isSettled = true
            isDisturbed = true
        }
        if let lostAt, lostAt.advanced(by: settings.linger) <= now {
            report(now: now, &out)
            withdraw(&out)
        }
        if case .joining(let since) = phase, isSettled,
            !isAccompanied || since.advanced(by: settings.grace) <= now
        {
            announce(now: now, &out)
        }
        if case .serving(let since) = phase, !isConfirmed, mayBegin(since, now: now) { confirm(since) }
        for index in peers.indices where isConfirmed && isPresent(peers[index].node) { peers[index].isWitnessed = true }
        if isDisturbed { review(&out) }
        expire(now: now, &out)
        report(now: now, &out)
    }

    private var settledAt: MonotonicInstant? {
        (bornAt?.advanced(by: settings.solitude)).orEarlier(metAt?.advanced(by: settings.acquaintance))
    }

    private mutating func announce(now: MonotonicInstant, _ out: inout [SharedFeedDirective<Payload>]) {
        phase = .serving(since: now)
        isConfirmed = false
        for index in peers.indices {
            peers[index].hasHandedOver = false
            peers[index].vouches = false
        }
        out.append(.announce(SharedFeedEntry(epoch: epoch, routes: routes)))
        isDisturbed = true
    }

    private func mayBegin(_ since: MonotonicInstant, now: MonotonicInstant) -> Bool {
        guard since.advanced(by: settings.hush) <= now else { return false }
        return since.advanced(by: settings.patience) <= now
            || peers.allSatisfy { $0.hasHandedOver || !isCompanion($0) }
    }

    private mutating func confirm(_ since: MonotonicInstant) {
        isConfirmed = true
        isDisturbed = true
        // What came while this gateway was away others have; only the last of it may be on its way to them.
        let end = MonotonicInstant(nanoseconds: since.nanoseconds - settings.tail.nanoseconds)
        let past = takeFromMemory { feed, message in
            guard message.arrival < end else { return .stop }
            return feed.isVouchedFor(message.route) ? .take : .leave
        }
        counts.confirmed += UInt64(past.count)
    }

    private mutating func withdraw(_ out: inout [SharedFeedDirective<Payload>]) {
        phase = .away
        lostAt = nil
        isConfirmed = false
        absentees.removeAll()
        for index in peers.indices { peers[index].isWitnessed = false }
        out.append(.announce(nil))
        isDisturbed = true
    }

    // MARK: Taking from memory

    /// Takes what is this gateway's by now.
    private mutating func review(_ out: inout [SharedFeedDirective<Payload>]) {
        isDisturbed = false
        guard memory.count > 0 else { return }
        let taken = takeFromMemory { $0.verdict($1.route, $1.topic, keptAt: $1.keptAt) == .take ? .take : .leave }
        counts.takenOver += UInt64(taken.count)
        take(taken, &out)
    }

    /// Takes what nobody has reported for long: its owner never got it, or hangs.
    private mutating func expire(now: MonotonicInstant, _ out: inout [SharedFeedDirective<Payload>]) {
        guard let oldest = memory.oldest, oldest.arrival.advanced(by: settings.age) <= now,
            nextExpiry.map({ $0 <= now }) ?? true
        else { return }
        nextExpiry = nil
        switch phase {
        case .joining: return
        case .away:
            let old = memory.take { $0.arrival.advanced(by: settings.age) <= now ? .take : .stop }
            counts.dropped += UInt64(old.count)
        case .serving:
            guard isConfirmed else { return }
            let old = takeFromMemory { feed, message in
                let age = message.arrival.duration(to: now)
                if age < feed.settings.age { return .stop }
                let pause = feed.settings.rankStep * (feed.rank(message) - 1)
                return age >= feed.settings.age + pause ? .take : .leave
            }
            counts.rescued += UInt64(old.count)
            take(old, &out)
            // Those that wait for their rank are looked at again together.
            nextExpiry = now.advanced(by: settings.rankStep)
        }
    }

    private mutating func takeFromMemory(
        _ choose: (Self, SharedMessage<Payload>) -> StandbyMemory<Payload>.Choice
    ) -> [SharedMessage<Payload>] {
        var memory = StandbyMemory<Payload>()
        swap(&memory, &self.memory)
        defer { swap(&memory, &self.memory) }
        return memory.take { choose(self, $0) }
    }

    private mutating func take(
        _ messages: [SharedMessage<Payload>], _ out: inout [SharedFeedDirective<Payload>]
    ) {
        var rest = messages[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(SharedFeedLimits.takenAtOnce))
            rest = rest.dropFirst(part.count)
            out.append(.take(begin(part.map { Report(key: $0.key, arrival: $0.arrival) }), part))
        }
    }
}
