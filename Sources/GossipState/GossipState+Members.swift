// Pure.
import Environment
import Model

/// Whose streams are here: those of the newest life of each known node, and shared ones of all.
extension GossipState {
    /// The record of a writer that a peer speaks of. `nil` where its stream is over, or its node forgotten, or there
    /// are too many.
    mutating func admit(
        _ writer: WriterID, _ now: MonotonicInstant, _ directives: inout [GossipDirective]
    ) -> Int? {
        let (index, isThere) = store.find(writer)
        if isThere { return index }
        if writer.isShared {
            if writer == shared { return nil }
        } else if writer.node == node {
            rise(above: writer.life, now)
            return nil
        } else {
            if contains(gone, writer.node) { return nil }
            if let newest = lives[writer.node] {
                guard newest < writer.life else { return nil }
                end(WriterID(node: writer.node, life: newest, isShared: false), &directives)
            }
        }
        guard let opened = store.open(writer, now: now) else {
            statistics.refused += 1
            return nil
        }
        if !writer.isShared {
            lives[writer.node] = writer.life
            restarted(writer.node, writer.life)
            if !contains(known, writer.node) {
                let deadline = now.advanced(by: settings.strangerGrace)
                nextStranger = min(nextStranger ?? deadline, deadline)
            }
        }
        return opened
    }

    private mutating func end(_ writer: WriterID, _ directives: inout [GossipDirective]) {
        let (index, isThere) = store.find(writer)
        guard isThere else { return }
        if store.writers[index].roundsLeft > 0 { newsCount -= 1 }
        var changes: [Place] = []
        store.drop(index, changes: &changes)
        for place in changes { directives.append(changed(place, writer.node)) }
    }

    /// Members remember a later life of this node than this one: its disk was lost, or is an old image. This life takes
    /// a higher incarnation and says all anew. At most every 5 s: were there two of this node, they would chase each
    /// other until membership parts them.
    private mutating func rise(above other: Life, _ now: MonotonicInstant) {
        guard life < other, other.incarnation.rawValue < .max else { return }
        if let lastRise, now < lastRise.advanced(by: .seconds(5)) { return }
        lastRise = now
        let entries = store.entries(of: ownIndex)
        var changes: [Place] = []
        if store.writers[ownIndex].roundsLeft > 0 { newsCount -= 1 }
        store.drop(ownIndex, changes: &changes)
        life = Life(incarnation: other.incarnation.next, start: life.start)
        own = WriterID(node: node, life: life, isShared: false)
        for index in peers.indices {
            acknowledgers.enter(peers[index].node)
            peers[index].own = 0
            peers[index].pushedOwn = 0
        }
        guard let index = store.open(own, now: now) else { return }
        for (place, body) in entries { append(StateWrite(body), at: place, to: index, now: now) }
    }

    mutating func meet(
        _ alive: [NodeID], _ known: [NodeID], _ now: MonotonicInstant, _ directives: inout [GossipDirective]
    ) {
        let before = self.known
        self.alive = alive.ascending(without: node)
        self.known = known.ascending(without: node)
        guard before != self.known else { return }
        gone.removeAll { contains(self.known, $0) }
        for node in before.missing(in: self.known) { forget(node, &directives) }
        let strangers = peers.map(\.node).missing(in: self.known)
        if !strangers.isEmpty { peers.removeAll { contains(strangers, $0.node) } }
    }

    /// Forgets writers that membership has not named for long: somebody still carried what everyone else had forgotten.
    mutating func forgetStrangers(_ now: MonotonicInstant, _ directives: inout [GossipDirective]) {
        nextStranger = nil
        let strangers = store.writers.filter { !$0.id.isShared && $0.id.node != node && !contains(known, $0.id.node) }
        for record in strangers {
            let deadline = record.heardAt.advanced(by: settings.strangerGrace)
            if deadline <= now {
                forget(record.id.node, &directives)
            } else {
                nextStranger = min(nextStranger ?? deadline, deadline)
            }
        }
    }

    private mutating func forget(_ node: NodeID, _ directives: inout [GossipDirective]) {
        if !contains(gone, node) {
            gone.enter(node)
            if gone.count > settings.mostPeers { gone.removeFirst() }
        }
        // Shared streams stay, empty ones too: what they say of collections keeps removed entries from coming back.
        if let life = lives.removeValue(forKey: node) {
            end(WriterID(node: node, life: life, isShared: false), &directives)
        }
        directives.append(.forgotten(node))
    }
}

extension StateStore {
    /// What stands of a stream, in the order of its writes.
    func entries(of index: Int) -> [(place: Place, body: [UInt8])] {
        let record = writers[index]
        return record.log.compactMap { slot in
            guard let at = locate(slot.place, record.id, slot.version) else { return nil }
            let cell = tables[at.table].rows[at.row].cells[at.cell]
            return cell.isRemoval ? nil : (slot.place, cell.body)
        }
    }
}
