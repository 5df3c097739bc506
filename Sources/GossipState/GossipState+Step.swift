// Pure.
package import Environment
package import Model

extension GossipState {
    /// Takes one event and says what is to be done.
    package mutating func step(
        _ event: GossipEvent, now: MonotonicInstant, using random: inout some RandomNumberGenerator
    ) -> [GossipDirective] {
        var directives: [GossipDirective] = []
        switch event {
        case .tick: break
        case .passenger(let bytes, let peer): hear(bytes, from: peer, now, &directives)
        case .datagram(let bytes, let peer): receive(bytes, from: peer, isFrame: false, now, &directives)
        case .frame(let bytes, let peer): receive(bytes, from: peer, isFrame: true, now, &directives)
        case .unreachable(let peer): lose(peer)
        case .members(let alive, let known): meet(alive, known, now, &directives)
        case .push(let targets): for target in targets { push(to: target, now, &directives) }
        }
        if let wakeAt, wakeAt <= now { self.wakeAt = nil }
        if newsCount > 0, nextSpread <= now { spreadRound(now, &random, &directives) }
        store.collect(now: now)
        if let nextStranger, nextStranger <= now { forgetStrangers(now, &directives) }
        rouse(now, &directives)
        return directives
    }

    /// Takes note of the wall clock, where it is trusted, without a write.
    package mutating func set(wall: Milliseconds, now: MonotonicInstant) {
        clock.set(wall: wall, now: now)
    }

    /// Asks to be woken for what is due next, unless that was asked already.
    mutating func rouse(_ now: MonotonicInstant, _ directives: inout [GossipDirective]) {
        var next = store.nextCollection
        if newsCount > 0 { next = min(next ?? nextSpread, max(nextSpread, now)) }
        if let nextStranger { next = min(next ?? nextStranger, nextStranger) }
        guard let next else { return }
        if let wakeAt, wakeAt <= next { return }
        wakeAt = next
        directives.append(.wake(at: next))
    }

    private mutating func lose(_ node: NodeID) {
        let (index, isThere) = findPeer(node)
        guard isThere else { return }
        peers[index].inFlightUntil = nil
        peers[index].pushedOwn = 0
        peers[index].pushedShared = 0
    }

    private mutating func receive(
        _ bytes: [UInt8], from sender: NodeID, isFrame: Bool, _ now: MonotonicInstant,
        _ directives: inout [GossipDirective]
    ) {
        let message: GossipMessage
        do {
            message = try GossipWire.decode(bytes)
        } catch {
            statistics.malformed += 1
            return
        }
        switch message {
        case .summary(let life, let buckets):
            guard let peer = greet(sender, life) else { return remind(sender, &directives) }
            answer(summary: buckets, peer, now, &directives)
        case .page(let life, let tags, let lines):
            guard let peer = greet(sender, life) else { return remind(sender, &directives) }
            acknowledge(peer, lines)
            answer(page: lines, tags, peer, now, &directives)
        case .wants(let life, let lines):
            guard let peer = greet(sender, life) else { return }
            acknowledge(peer, lines)
            peers[peer].inFlightUntil = nil
            answer(wants: lines, peer, &directives)
        case .alive(let life, let listings):
            guard greet(sender, life) != nil else { return }
            take(listings, &directives)
        case .delta(let life, let flags, let sections):
            take(sections, flags, life, from: sender, isFrame: isFrame, now, &directives)
        case .ack(let life, let of, let own, let shared):
            guard let peer = greet(sender, life), of.start == self.life.start else { return }
            var known = [Known(writer: self.shared, version: shared, collected: 0)]
            if of == self.life { known.append(Known(writer: self.own, version: own, collected: 0)) }
            acknowledge(peer, known)
        }
    }

    /// Tells a node that asks in the name of an earlier life than one that is remembered: if it is no late message, it must rise.
    private func remind(_ node: NodeID, _ directives: inout [GossipDirective]) {
        let (peer, isThere) = findPeer(node)
        guard isThere, let later = peers[peer].life else { return }
        let record = WriterRecord(
            id: WriterID(node: node, life: later, isShared: false), now: MonotonicInstant(nanoseconds: 0))
        let section = GossipWire.sectionHeader(record, from: 0, through: 0, count: 0)
        directives.append(.datagram(GossipWire.delta(life, [], sections: section), to: node))
    }

    private mutating func take(
        _ sections: [StateSection], _ flags: DeltaFlags, _ life: Life, from sender: NodeID, isFrame: Bool,
        _ now: MonotonicInstant, _ directives: inout [GossipDirective]
    ) {
        var isNews = false
        var shared: UInt64 = 0
        var missed: [Known] = []
        for section in sections {
            guard let index = admit(section.writer, now, &directives) else { continue }
            let gaps = statistics.gaps
            if merge(section, into: index, isFrame: isFrame, now, &directives) { isNews = true }
            let isBehind = statistics.gaps > gaps && section.writer.node == sender
            if isBehind { missed.append(store.writers[index].line) }
            if section.writer.node == sender, section.writer.isShared { shared = store.writers[index].version }
        }
        guard let peer = greet(sender, life) else { return }
        if flags.contains(.wantsAck), !flags.contains(.answers), !missed.isEmpty {
            // What was sent before was lost, or comes later; the sender would not say it again for a while.
            directives.append(.datagram(GossipWire.encode(.wants(self.life, missed)), to: sender))
        } else if flags.contains(.wantsAck) {
            let (index, isThere) = store.find(WriterID(node: sender, life: life, isShared: false))
            let version = isThere ? store.writers[index].version : 0
            let ack = GossipMessage.ack(self.life, of: life, own: version, shared: shared)
            directives.append(.datagram(GossipWire.encode(ack), to: sender))
        }
        guard flags.contains(.answers) else { return }
        peers[peer].inFlightUntil = nil
        guard isNews else { return }
        peers[peer].fruitless = 0
        if flags.contains(.hasMore) { exchange(with: peer, now, &directives) }
    }

    /// Shared writes of this process, too, that others have removed and forgotten while it was away.
    private mutating func take(_ listings: [StateListing], _ directives: inout [GossipDirective]) {
        for listing in listings {
            let (index, isThere) = store.find(listing.writer)
            guard isThere, listing.writer != own else { continue }
            for place in store.strike(listing, index) { directives.append(changed(place, listing.writer.node)) }
        }
    }

    /// Whether it brought something.
    private mutating func merge(
        _ section: StateSection, into index: Int, isFrame: Bool, _ now: MonotonicInstant,
        _ directives: inout [GossipDirective]
    ) -> Bool {
        let before = store.writers[index].version
        if section.writer == own || section.writer == shared { return false }
        let merge = store.merge(section, into: index, now: now)
        if merge.isGap { statistics.gaps += 1 }
        if merge.isRefused { statistics.refused += 1 }
        for place in merge.changes { directives.append(changed(place, section.writer.node)) }
        guard merge.isNews else { return false }
        let after = store.writers[index].version
        for entry in section.entries where entry.version > before && entry.version <= after {
            statistics.received += 1
            guard let time = store.model(entry.place.space, of: section.writer)?.time(of: entry.body) else { continue }
            if !clock.follow(time, now: now) { statistics.skewed += 1 }
        }
        if !isFrame, relays { spread(index, above: before, now: now) }
        return true
    }

    func changed(_ place: Place, _ writer: NodeID) -> GossipDirective {
        .changed(StateName(KeySpaceName(place.space), place.key), writer: writer)
    }
}
