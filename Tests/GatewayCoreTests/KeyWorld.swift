import Environment
import Model
import Simulator

@testable import GatewayCore

/// Gateways that change their key while they are killed, cut off and started anew, by a seed. Nothing here seals or opens anything: what
/// would be understood follows from which keys each speaks and knows.
struct KeyWorld {
    enum Bug { case none, forgetsWhomItAwaits, speaksBeforeItsDiskHasIt }

    struct Gateway {
        var machine: KeyRotation?
        var disk: KeyState
        /// What is being put on the disk.
        var writing: (KeyState, version: UInt64)?
        var life = 0
        var wake: MonotonicInstant?
        /// Its own word, as the others hear it.
        var report: KeyReport?
    }

    enum Happening {
        case deliver(to: Int, life: Int, KeyEvent)
        case written(Int, life: Int)
        case tick(Int, life: Int, at: Int64)
        /// The newest word of the one comes to the other.
        case gossip(from: Int, to: Int, life: Int)
        case fault
    }

    static let second: Int64 = 1_000_000_000

    var random: SeededRandom
    let bug: Bug
    var gateways: [Gateway]
    var heap = EventHeap<Happening>()
    var time: Int64 = 0
    var isFaulty = true
    var keysMade: UInt8 = 1
    /// Changes that were begun, went back, were used before all had them, and whose gateway died while one was under way.
    var counts = (begun: 0, aborted: 0, skipped: 0, crashes: 0)
    var violations: [String] = []

    init(seed: UInt64, gateways count: Int, bug: Bug = .none) {
        random = SeededRandom(seed: seed)
        self.bug = bug
        gateways = (0..<count).map { _ in Gateway(disk: KeyState(keys: [Self.key(1)])) }
        for index in 0..<count { start(index) }
    }

    static func node(_ index: Int) -> NodeID { NodeID(high: 1, low: UInt64(index)) }
    static func key(_ number: UInt8) -> KeySecret {
        let bytes = [UInt8](repeating: number, count: KeySecret.byteCount)
        return KeySecret(id: identify(bytes), bytes: bytes)
    }
    static func identify(_ bytes: [UInt8]) -> UInt32 { bytes.reduce(0) { $0 &+ UInt32($1) } }

    private var now: MonotonicInstant { MonotonicInstant(nanoseconds: time) }
    private func draw(_ range: ClosedRange<Int64>, _ rng: inout SeededRandom) -> Int64 {
        .random(in: range, using: &rng)
    }

    mutating func after(_ range: ClosedRange<Int64>, _ happening: Happening) {
        heap.push(happening, at: time + draw(range, &random) * 1_000_000)
    }

    /// Runs on; with faults every few seconds, or with none and everybody up.
    mutating func run(seconds: Int64, faulty: Bool) {
        isFaulty = faulty
        if faulty { after(0...2000, .fault) } else { for index in 0..<gateways.count { start(index) } }
        let end = time + seconds * Self.second
        var happened = 0
        while let at = heap.nextAt, at <= end, let (_, happening) = heap.pop() {
            happened += 1
            guard happened < 200_000 else { return violations.append("\(time): it does not come to rest") }
            time = max(time, at)
            happen(happening)
            check()
        }
        time = end
    }

    private mutating func happen(_ happening: Happening) {
        switch happening {
        case .deliver(let index, let life, let event): if gateways[index].life == life { step(event, index) }
        case .tick(let index, let life, let at):
            if gateways[index].life == life, gateways[index].wake?.nanoseconds == at { step(.tick, index) }
        case .written(let index, let life):
            guard gateways[index].life == life, let (state, version) = gateways[index].writing else { return }
            gateways[index].writing = nil
            let fails = isFaulty && Int.random(in: 0..<12, using: &random) == 0
            if !fails { gateways[index].disk = state }
            step(.kept(version: version, failure: fails ? "it is full" : nil), index)
        case .gossip(let from, let to, let life):
            guard gateways[to].life == life, let report = gateways[from].report else { return }
            step(.reported(Self.node(from), report), to)
        case .fault:
            guard isFaulty else { return }
            fault()
            after(200...4000, .fault)
        }
    }

    private mutating func step(_ event: KeyEvent, _ index: Int) {
        let now = now
        for directive in gateways[index].machine?.step(event, now: now) ?? [] { act(directive, index) }
    }

    private mutating func act(_ directive: KeyDirective, _ index: Int) {
        let life = gateways[index].life
        switch directive {
        case .keep(let state, let version):
            gateways[index].writing = (state, version)
            // A gateway that hurries says that it has it while the disk is still at work.
            if bug == .speaksBeforeItsDiskHasIt {
                return step(.kept(version: version, failure: nil), index)
            }
            after(1...400, .written(index, life: life))
        case .publish(let report):
            gateways[index].report = report
            for other in gateways.indices where other != index {
                after(5...3000, .gossip(from: index, to: other, life: gateways[other].life))
            }
        case .frame(let bytes, let node):
            // Streams break now and then.
            guard !isFaulty || Int.random(in: 0..<6, using: &random) > 0 else { return }
            let other = Int(node.low)
            after(5...500, .deliver(to: other, life: gateways[other].life, .message(bytes, from: Self.node(index))))
        case .wake(let moment):
            gateways[index].wake = moment
            heap.push(.tick(index, life: life, at: moment.nanoseconds), at: max(moment.nanoseconds, time))
        case .notice: break
        }
    }

    // MARK: Lives

    mutating func start(_ index: Int) {
        guard gateways[index].machine == nil else { return }
        gateways[index].life += 1
        gateways[index].wake = nil
        if bug == .forgetsWhomItAwaits { gateways[index].disk.rotation?.awaited = [] }
        var machine = KeyRotation(
            node: Self.node(index), start: StartID(random.next()), state: gateways[index].disk, identify: Self.identify)
        let news = machine.join(as: Self.node(index), StartID(random.next()))
        gateways[index].machine = machine
        for directive in news { act(directive, index) }
        // It meets the others one after the other.
        for other in gateways.indices where other != index {
            if gateways[other].machine != nil {
                after(100...4000, .gossip(from: other, to: index, life: gateways[index].life))
            }
        }
        meet(index, delay: 50...1500)
        for other in gateways.indices where other != index { meet(other, delay: 50...1500) }
    }

    private mutating func meet(_ index: Int, delay: ClosedRange<Int64>) {
        let alive = gateways.indices.filter { gateways[$0].machine != nil }.map(Self.node)
        let known = gateways.indices.map(Self.node)
        var some: [NodeID] = []
        for node in known where Bool.random(using: &random) { some.append(node) }
        // At first it knows some, then all, the dead among them.
        after(delay, .deliver(to: index, life: gateways[index].life, .members(known: known, alive: alive)))
        if gateways[index].machine?.others.isEmpty ?? false {
            after(1...40, .deliver(to: index, life: gateways[index].life, .members(known: some, alive: alive)))
        }
    }

    private mutating func kill(_ index: Int) {
        guard gateways[index].machine != nil else { return }
        if gateways[index].machine?.state.isChanging ?? false { counts.crashes += 1 }
        // What was on its way to the disk may be there, or not.
        if let (state, _) = gateways[index].writing, Bool.random(using: &random) { gateways[index].disk = state }
        gateways[index].writing = nil
        gateways[index].machine = nil
        gateways[index].life += 1
        for other in gateways.indices where other != index { meet(other, delay: 3000...9000) }
    }

    private mutating func fault() {
        let index = Int.random(in: gateways.indices, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0...2: kill(index)
        case 3...5: start(index)
        case 6, 7:
            guard let machine = gateways[index].machine, machine.refusal == nil, keysMade < 200 else { return }
            keysMade += 1
            counts.begun += 1
            step(.order(.begin(Self.key(keysMade), skipping: [])), index)
        case 8:
            guard gateways[index].machine?.state.isChanging ?? false else { return }
            counts.aborted += 1
            step(.order(.abort), index)
        default:
            let away = gateways.indices.filter { gateways[$0].machine == nil }.map(Self.node)
            guard gateways[index].machine?.state.isChanging ?? false, !away.isEmpty else { return }
            counts.skipped += 1
            step(.order(.skip(away)), index)
        }
    }

    // MARK: What must hold

    /// In use while it is up, on its disk while it is not.
    func keys(_ index: Int) -> [UInt32] {
        (gateways[index].machine?.state ?? gateways[index].disk).keys.map(\.id)
    }

    private func isSkipped(_ index: Int) -> Bool {
        let node = Self.node(index)
        return gateways.contains { gateway in
            (gateway.machine?.wanted ?? gateway.disk).rotation?.skipped.contains(node) ?? false
                || gateway.disk.rotation?.skipped.contains(node) ?? false
        }
    }

    private mutating func check() {
        for one in gateways.indices {
            for other in gateways.indices where other != one {
                let (mine, theirs) = (keys(one), keys(other))
                if Set(mine).isDisjoint(with: theirs) {
                    violations.append("\(time): \(one) \(mine) and \(other) \(theirs) have no key in common")
                }
                // With those that it waits for it need not try which key they know.
                if counts.skipped == 0, counts.aborted == 0, !theirs.contains(mine[0]) {
                    violations.append("\(time): \(one) speaks \(mine[0]), \(other) knows \(theirs)")
                }
            }
        }
    }
}
