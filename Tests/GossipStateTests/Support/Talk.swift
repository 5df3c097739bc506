import Environment
import Model

@testable import GossipState

/// A member whose membership knows nobody: it writes and merges, and says only what it is asked for.
func member(_ number: Int, start: UInt64? = nil, incarnation: UInt64 = 1, settings: GossipSettings = GossipSettings())
    -> GossipState
{
    GossipState(
        node: nodeID(number), start: StartID(start ?? UInt64(number) + 100), incarnation: Incarnation(incarnation),
        spaces: Space.all, settings: settings)
}

func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }

/// Hands messages between two members until neither has more to say. Returns how many that were.
@discardableResult
func deliver(
    _ directives: [GossipDirective], to first: inout GossipState, from second: inout GossipState,
    _ now: MonotonicInstant
) -> [GossipDirective] {
    var random = SeededRandom(seed: 1)
    var queue = directives.map { (toFirst: true, directive: $0) }
    var delivered: [GossipDirective] = []
    while !queue.isEmpty {
        let (toFirst, directive) = queue.removeFirst()
        let (node, sender) = toFirst ? (first.node, second.node) : (second.node, first.node)
        let event: GossipEvent
        switch directive {
        case .datagram(let bytes, node): event = .datagram(bytes, from: sender)
        case .frame(let bytes, node): event = .frame(bytes, from: sender)
        default: continue
        }
        delivered.append(directive)
        let answer =
            toFirst ? first.step(event, now: now, using: &random) : second.step(event, now: now, using: &random)
        queue += answer.map { (!toFirst, $0) }
    }
    return delivered
}

/// One ping from `second` to `first`, and the exchange that comes of it.
@discardableResult
func exchange(_ first: inout GossipState, _ second: inout GossipState, _ now: MonotonicInstant) -> [GossipDirective] {
    var random = SeededRandom(seed: 1)
    let begin = first.step(.passenger(second.passenger, from: second.node), now: now, using: &random)
    return deliver(begin, to: &second, from: &first, now)
}

/// What `first` pushes, and the acknowledgement of it.
@discardableResult
func push(_ first: inout GossipState, to second: inout GossipState, _ now: MonotonicInstant) -> [GossipDirective] {
    var random = SeededRandom(seed: 1)
    let begin = first.step(.push(to: [second.node]), now: now, using: &random)
    return deliver(begin, to: &second, from: &first, now)
}

extension GossipState {
    /// The message that tells a member that knows this one's streams up to `version` what was written since.
    func delta(shared version: UInt64) -> [UInt8] {
        let (index, isThere) = store.find(shared)
        guard isThere, let need = store.need(index, version: version),
            let section = store.section(need, room: 64 << 10, mayCut: false)
        else { return GossipWire.delta(life, [], sections: []) }
        return GossipWire.delta(life, [], sections: section.bytes)
    }

    /// The version vector alone, as a hash: where nothing was collected yet it decides what is read.
    var knowledge: UInt64 {
        store.writers.reduce(0) { $1.version == 0 ? $0 : $0 &+ mix($1.tag, $1.version) }
    }

    var sharedVersion: UInt64 {
        let (index, isThere) = store.find(shared)
        return isThere ? store.writers[index].version : 0
    }

    mutating func hear(_ bytes: [UInt8], from node: NodeID, _ now: MonotonicInstant) {
        var random = SeededRandom(seed: 1)
        _ = step(.datagram(bytes, from: node), now: now, using: &random)
    }

    mutating func tick(_ now: MonotonicInstant) -> [GossipDirective] {
        var random = SeededRandom(seed: 1)
        return step(.tick, now: now, using: &random)
    }

    /// Makes a change through the face that clients use.
    mutating func make(
        _ change: StateChange, _ name: StateName, _ element: [UInt8], wall: Milliseconds?, _ now: MonotonicInstant
    )
        throws(GossipError) -> [GossipDirective]
    {
        switch change {
        case .put(let value): try put(value, for: name, wall: wall, now: now)
        case .remove: try remove(name, wall: wall, now: now)
        case .insert: try insert(element, into: name, now: now)
        case .discard: try removeElement(element, from: name, now: now)
        case .add(let amount): try add(amount, to: name, now: now)
        }
    }
}
