// Pure.
package import Environment
package import Model

extension GossipState {
    /// Writes a register, or this node's own in a single-writer space. Writing what stands there already in the latter
    /// changes nothing.
    ///
    /// - Parameter wall: the wall clock where it is trusted: registers are ordered by it.
    package mutating func put(
        _ value: [UInt8], for name: StateName, wall: Milliseconds? = nil, now: MonotonicInstant
    ) throws(GossipError) -> [GossipDirective] {
        try write(.put(value), name, [], wall, now)
    }

    /// Removes a register's value, or this node's own entry.
    package mutating func remove(
        _ name: StateName, wall: Milliseconds? = nil, now: MonotonicInstant
    ) throws(GossipError) -> [GossipDirective] {
        try write(.remove, name, [], wall, now)
    }

    /// Adds an element to a set.
    package mutating func insert(
        _ element: [UInt8], into name: StateName, now: MonotonicInstant
    ) throws(GossipError) -> [GossipDirective] {
        try write(.insert, name, element, nil, now)
    }

    /// Ends those adds of an element that are known here.
    package mutating func removeElement(
        _ element: [UInt8], from name: StateName, now: MonotonicInstant
    ) throws(GossipError) -> [GossipDirective] {
        try write(.discard, name, element, nil, now)
    }

    /// Adds to a counter, or takes from it.
    package mutating func add(
        _ amount: Int64, to name: StateName, now: MonotonicInstant
    ) throws(GossipError) -> [GossipDirective] {
        try write(.add(amount), name, [], nil, now)
    }

    private mutating func write(
        _ change: StateChange, _ name: StateName, _ element: [UInt8], _ wall: Milliseconds?, _ now: MonotonicInstant
    ) throws(GossipError) -> [GossipDirective] {
        let space = name.space.rawValue
        guard let model = store.model(space) else { throw .unknownSpace(name.space) }
        guard (1...GossipLimits.keyBytes).contains(name.key.count) else { throw .keyLength(name.key.count) }
        guard element.count <= GossipLimits.elementBytes else { throw .valueLength(element.count) }
        if let wall { clock.set(wall: wall, now: now) }
        let writer = model.isSingleWriter ? own : shared
        let place = Place(space: space, key: name.key, element: element)
        let cells = store.cells(at: place, isShared: writer.isShared)
        let seen = cells.compactMap { model.time(of: $0.body) }.max()
        var clock = clock
        let write = try model.write(change, over: cells, by: writer) { clock.stamp(after: seen, now: now) }
        guard let write else { return [] }
        guard let index = store.open(writer, now: now) else { throw .full }
        let refusal = store.refusal(index, place, bytes: write.body.count, isRemoval: write.isRemoval)
        if let refusal { throw refusal }
        self.clock = clock
        append(write, at: place, to: index, now: now)
        var directives: [GossipDirective] = [.changed(name, writer: node)]
        rouse(now, &directives)
        return directives
    }

    /// The next write of a stream of this process.
    mutating func append(_ write: StateWrite, at place: Place, to index: Int, now: MonotonicInstant) {
        let version = store.writers[index].version + 1
        let cell = StateCell(
            writer: store.writers[index].id, version: version, isRemoval: write.isRemoval, body: write.body)
        store.insert(cell, at: place, of: index, now: now)
        spread(index, above: version - 1, now: now)
        store.update(index) {
            $0.version = version
            $0.goal = version
        }
    }
}

extension StateStore {
    func cells(at place: Place, isShared: Bool) -> [StateCell] {
        let table = tables[table(place.space, isShared: isShared)]
        let (row, isThere) = table.find(place.key, place.element)
        return isThere ? table.rows[row].cells : []
    }
}
