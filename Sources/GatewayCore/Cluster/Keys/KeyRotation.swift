// Pure.
import Environment
package import Model

/// What can happen to ``KeyRotation``.
enum KeyEvent {
    case order(KeyOrder)
    /// What another gateway says of itself; `nil` where it says nothing any more.
    case reported(NodeID, KeyReport?)
    /// All that count, and those of them that are alive.
    case members(known: [NodeID], alive: [NodeID])
    case message([UInt8], from: NodeID)
    /// The keys were changed by hand.
    case loaded(KeyState)
    /// Answers ``KeyDirective/keep(_:version:)``.
    case kept(version: UInt64, failure: String?)
    case tick
}

/// What a person orders.
package enum KeyOrder: Hashable, Sendable {
    /// This be the covey's key. ``KeyRotation/refusal`` was asked before; passed over where there is one.
    case begin(KeySecret, skipping: [NodeID])
    /// The change that is under way does not wait for these before it is used.
    case skip([NodeID])
    /// Back to the key of before.
    case abort
    /// A gateway that is awaited since before this start, and that nobody knows any more, does not come back.
    case drop(NodeID)
}

enum KeyDirective: Hashable {
    /// Put this on the disk, then speak and understand so; answer `kept`. Not given again before that.
    case keep(KeyState, version: UInt64)
    case publish(KeyReport)
    /// On a stream.
    case frame([UInt8], to: NodeID)
    case wake(at: MonotonicInstant)
    case notice(String)
}

/// How the covey's key is changed while it runs: every gateway for itself, by what the others say of themselves. Nobody leads, so that
/// any of them may die at any step.
///
/// | stage | goes on to | when |
/// |---|---|---|
/// | lacking | installed | the key has come and is on this disk |
/// | installed | using | all that are awaited and not skipped say installed, or one says using |
/// | using | done | all that are awaited say using, for ``settling`` |
/// | any | lacking or installed | a greater change is known |
///
/// So whoever speaks with a key speaks to those who have it on their disks: nobody drops a key before all that are awaited speak with the
/// next. A greater change leaves the keys of a smaller one known until it is done itself. To abort is a change back to the key before.
package struct KeyRotation: Sendable {
    /// Between the last one's word that it speaks with the new key and the end of the old one: what is on its way still arrives.
    static let settling = Duration.seconds(10)
    /// Until somebody else is asked for the key, and until a disk that took nothing is tried again.
    static let pause = Duration.seconds(2)

    private(set) var node: NodeID
    private(set) var start: StartID
    let identify: @Sendable ([UInt8]) -> UInt32
    /// As it is on the disk, and in use.
    package private(set) var state: KeyState
    /// As it is to be; differs while it is being put on the disk, and while that fails.
    package internal(set) var wanted: KeyState
    /// The words of the disk that does not take the keys.
    package private(set) var failure: String?
    var reports: [(node: NodeID, report: KeyReport)] = []
    private(set) var alive: [NodeID] = []
    private var known: [NodeID] = []
    /// Of changes that were heard of, this gateway's among them.
    var greatest: UInt64
    var removesAt: MonotonicInstant?
    var asksAt: MonotonicInstant?
    var asked: NodeID?
    private var retriesAt: MonotonicInstant?
    private var version: UInt64 = 0
    /// What the disk is to take, until it has answered.
    private var keeping: KeyState?
    private var published: KeyReport?

    /// - Parameter identify: The id of a key.
    init(node: NodeID, start: StartID, state: KeyState, identify: @escaping @Sendable ([UInt8]) -> UInt32) {
        self.node = node
        self.start = start
        self.state = state
        self.identify = identify
        wanted = state
        greatest = state.rotation?.id.number ?? 0
    }

    mutating func step(_ event: KeyEvent, now: MonotonicInstant) -> [KeyDirective] {
        var directives: [KeyDirective] = []
        switch event {
        case .order(.begin(let key, let skipping)): begin(key, skipping: skipping)
        case .order(.skip(let nodes)): skip(nodes)
        case .order(.abort): abort()
        case .order(.drop(let node)): drop(node)
        case .reported(let node, let report): take(report, of: node, &directives)
        case .members(let known, let alive): take(known: known, alive: alive)
        case .message(let bytes, let node): receive(bytes, from: node, &directives)
        case .loaded(let keys): load(keys, &directives)
        case .kept(let version, let failure): kept(version, failure, now: now, &directives)
        case .tick: break
        }
        if let retry = retriesAt, retry <= now { retriesAt = nil }
        advance(now: now, &directives)
        keep(now: now, &directives)
        if let wake = retriesAt.orEarlier(removesAt).orEarlier(asksAt) { directives.append(.wake(at: wake)) }
        return directives
    }

    // MARK: The disk

    private mutating func keep(now: MonotonicInstant, _ directives: inout [KeyDirective]) {
        guard wanted != state, keeping == nil, retriesAt == nil else { return }
        version += 1
        keeping = wanted
        directives.append(.keep(wanted, version: version))
    }

    private mutating func kept(
        _ version: UInt64, _ failure: String?, now: MonotonicInstant, _ directives: inout [KeyDirective]
    ) {
        guard version == self.version, let keeping else { return }
        self.keeping = nil
        if let failure {
            self.failure = failure
            retriesAt = now.advanced(by: Self.pause)
            return
        }
        self.failure = nil
        let before = state.rotation
        state = keeping
        publish(&directives)
        guard let rotation = state.rotation, rotation.stage != before?.stage || rotation.id != before?.id else {
            return
        }
        switch rotation.stage {
        case .lacking, .installed: break
        case .using: directives.append(.notice("change \(rotation.id.number) of the key: this gateway speaks with it"))
        case .done:
            directives.append(.notice("change \(rotation.id.number) of the key is done: no other is known here"))
        }
    }

    /// What the disk has not answered yet is of no account.
    private mutating func load(_ keys: KeyState, _ directives: inout [KeyDirective]) {
        (state, wanted, keeping, failure, retriesAt, removesAt) = (keys, keys, nil, nil, nil, nil)
        version += 1
        publish(&directives)
    }

    /// Says how far this gateway is, where that is not said yet.
    private mutating func publish(_ directives: inout [KeyDirective]) {
        guard let rotation = state.rotation else { return }
        let report = KeyReport(
            id: rotation.id, target: rotation.target, stage: rotation.stage, start: start, skipped: rotation.skipped)
        guard report != published else { return }
        published = report
        directives.append(.publish(report))
    }

    /// The covey is joined, or joined anew under another name: nobody is known, and nobody knows how far this gateway is.
    mutating func join(as node: NodeID, _ start: StartID) -> [KeyDirective] {
        (self.node, self.start) = (node, start)
        (reports, alive, known) = ([], [], [])
        var directives: [KeyDirective] = []
        published = nil
        publish(&directives)
        return directives
    }

    // MARK: The others

    private mutating func take(known: [NodeID], alive: [NodeID]) {
        let gone = self.known.filter { !known.contains($0) }
        self.known = known
        self.alive = alive
        reports.removeAll { gone.contains($0.node) }
        guard var rotation = wanted.rotation, rotation.stage != .done else { return }
        let others = known.filter { $0 != node }
        rotation.awaited = (rotation.awaited.filter { !gone.contains($0) && !others.contains($0) } + others).sorted()
        rotation.skipped.removeAll { !rotation.awaited.contains($0) }
        wanted.rotation = rotation
    }

    private mutating func drop(_ node: NodeID) {
        wanted.rotation?.awaited.removeAll { $0 == node }
        wanted.rotation?.skipped.removeAll { $0 == node }
    }

    var others: [NodeID] { known.filter { $0 != node } }

    func report(of node: NodeID) -> KeyReport? { reports.first { $0.node == node }?.report }

    /// Those that are alive and said, under these starts, that they have the key that this gateway speaks with on their disks.
    package var fluent: [(node: NodeID, start: StartID)] {
        guard let primary = state.keys.first?.id else { return [] }
        return reports.filter {
            $0.report.target == primary && $0.report.stage >= .installed && alive.contains($0.node)
        }.map { ($0.node, $0.report.start) }
    }
}
