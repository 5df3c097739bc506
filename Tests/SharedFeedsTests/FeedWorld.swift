import Environment
import Model
import SharedFeeds

/// Several gateways that read one model broker, in simulated time: processes die and return, connections break, words between gateways take
/// their time or are lost. Disks and the broker's sessions last.
struct FeedWorld {
    struct Message {
        let number: Int
        let topic: Int
        let key: MessageKey
    }

    /// One gateway as the world sees it.
    struct Gateway {
        let node: NodeID
        var feed: SharedFeed<Int>?
        var life = 0
        var isConnected = false
        /// What the broker has for it.
        var session: Set<Int> = []
        /// In `session`, sent on this connection and neither acknowledged nor held back.
        var handed: Set<Int> = []
        /// Sent before on some connection.
        var sentBefore: Set<Int> = []
        /// On its disk, and so often.
        var durable: [Int: Int] = [:]
        var present: [NodeID] = []
        var entry: SharedFeedEntry?
        var wakesAt: Int64 = .max
    }

    enum Action {
        case load(every: Int64, until: Int64, topics: Int, values: Int?)
        case arrive(Int, at: Int, life: Int)
        case commit(TakenID, [Int], acknowledge: Bool, at: Int, life: Int)
        case frame([UInt8], from: Int, to: Int, lifeOfSender: Int)
        case entry(SharedFeedEntry?, of: Int, to: Int)
        case presence(of: Int, isThere: Bool, to: Int, life: Int)
        case tick(Int)
        case kill(Int)
        case start(Int)
        case disconnect(Int)
        case connect(Int)
        case part(Int, Int)
        case heal
    }

    static let route = RouteID(77)
    var random: SeededRandom
    var time: Int64 = 1_000_000_000
    var gateways: [Gateway]
    var messages: [Message] = []
    /// Pairs that do not hear each other.
    var parted: Set<[Int]> = []
    /// The longest that a commit takes.
    var longestCommit: Int64 = 500
    /// Percent; the sender learns of it.
    var lossOfFrames = 0
    /// Gateways whose disk takes nothing.
    var hung: Set<Int> = []
    /// The last is the next.
    private var agenda: [(at: Int64, action: Action)] = []
    private var lastFrameAt: [[Int]: Int64] = [:]

    static let millisecond: Int64 = 1_000_000

    init(_ count: Int, seed: UInt64) {
        random = SeededRandom(seed: seed)
        gateways = (0..<count).map { Gateway(node: NodeID(high: 1, low: UInt64($0 + 1))) }
    }

    var now: MonotonicInstant { MonotonicInstant(nanoseconds: time) }

    mutating func later(_ milliseconds: Int64, _ action: Action) {
        let at = time + milliseconds * Self.millisecond
        var (low, high) = (0, agenda.count)
        while low < high {
            let middle = (low + high) / 2
            if agenda[middle].at > at { low = middle + 1 } else { high = middle }
        }
        // Before those of the same time in the array, so after them in time.
        agenda.insert((at, action), at: low)
    }

    /// Lets that many milliseconds pass.
    mutating func run(_ milliseconds: Int64) {
        let end = time + milliseconds * Self.millisecond
        while true {
            let tick = gateways.indices.filter { gateways[$0].feed != nil }.min {
                gateways[$0].wakesAt < gateways[$1].wakesAt
            }
            let nextTick = tick.map { gateways[$0].wakesAt } ?? .max
            let next = agenda.last?.at ?? .max
            guard min(next, nextTick) <= end else { break }
            if let tick, nextTick < next {
                time = max(time, nextTick)
                gateways[tick].wakesAt = .max
                step(tick, .tick)
            } else {
                let first = agenda.removeLast()
                time = max(time, first.at)
                perform(first.action)
            }
        }
        time = end
    }

    // MARK: What happens

    private mutating func perform(_ action: Action) {
        switch action {
        case .load(let interval, let end, let topics, let values):
            guard time < end else { return }
            publish(messages.count % topics, values.map { messages.count / topics % $0 } ?? messages.count)
            later(interval, .load(every: interval, until: end, topics: topics, values: values))
        case .arrive(let number, let index, let life): arrive(number, at: index, life)
        case .commit(let id, let numbers, let acknowledge, let index, let life):
            guard gateways[index].life == life, gateways[index].feed != nil, !hung.contains(index) else { return }
            for number in numbers {
                gateways[index].durable[number, default: 0] += 1
                if acknowledge { self.acknowledge(number, at: index) }
            }
            step(index, .durable(id))
        case .frame(let bytes, let sender, let receiver, _): deliver(bytes, from: sender, to: receiver)
        case .entry(let entry, let index, let receiver):
            guard hears(index, receiver) else {
                return later(500, .entry(gateways[index].entry, of: index, to: receiver))
            }
            step(receiver, .entry(entry, of: gateways[index].node))
        case .presence(let index, let isThere, let receiver, let life):
            guard gateways[index].life == life || isThere else { return }
            setPresence(of: index, isThere, at: receiver)
        case .tick(let index): step(index, .tick)
        case .kill(let index): kill(index)
        case .start(let index): start(index)
        case .disconnect(let index): disconnect(index)
        case .connect(let index): connect(index)
        case .part(let one, let other): part(one, other)
        case .heal: heal()
        }
    }

    private mutating func publish(_ topic: Int, _ value: Int) {
        let number = messages.count
        let hash = UInt64(topic) &* 1_000_003 &+ UInt64(value) &* 0x9E37_79B9_7F4A_7C15
        messages.append(
            Message(number: number, topic: topic, key: MessageKey(hash: hash, route: Self.route, isKept: true)))
        for index in gateways.indices {
            gateways[index].session.insert(number)
            if gateways[index].isConnected { send(number, to: index) }
        }
    }

    private mutating func send(_ number: Int, to index: Int) {
        guard gateways[index].handed.insert(number).inserted else { return }
        later(Int64.random(in: 1...80, using: &random), .arrive(number, at: index, life: gateways[index].life))
    }

    private mutating func arrive(_ number: Int, at index: Int, _ life: Int) {
        guard gateways[index].life == life, gateways[index].isConnected, gateways[index].handed.contains(number),
            gateways[index].feed != nil
        else { return }
        let isRedelivery = !gateways[index].sentBefore.insert(number).inserted
        // The ring knows what it has.
        if isRedelivery, gateways[index].durable[number] != nil { return acknowledge(number, at: index) }
        let message = messages[number]
        let shared = SharedMessage(
            route: Self.route, topic: UInt64(message.topic), key: message.key, bytes: 40, arrival: now,
            messageID: UInt16(number % 60_000 + 1), isRedelivery: isRedelivery, payload: number)
        let moment = now
        guard let (decisions, taken) = gateways[index].feed?.admit([shared], now: moment) else {
            gateways[index].sentBefore.remove(number)
            if isRedelivery { gateways[index].sentBefore.insert(number) }
            return later(500, .arrive(number, at: index, life: life))
        }
        readWake(index)
        if decisions == [.take], let taken { commit(taken, [number], acknowledge: true, at: index) }
        if decisions != [.take] { acknowledge(number, at: index) }
    }

    private mutating func commit(_ id: TakenID, _ numbers: [Int], acknowledge: Bool, at index: Int) {
        let wait = Int64.random(in: 1...longestCommit, using: &random)
        later(wait, .commit(id, numbers, acknowledge: acknowledge, at: index, life: gateways[index].life))
    }

    private mutating func acknowledge(_ number: Int, at index: Int) {
        guard gateways[index].isConnected else { return }
        gateways[index].session.remove(number)
        gateways[index].handed.remove(number)
    }

    mutating func step(_ index: Int, _ event: SharedFeedEvent) {
        guard gateways[index].feed != nil else { return }
        let moment = now
        for directive in gateways[index].feed?.step(event, now: moment) ?? [] {
            switch directive {
            case .announce(let entry):
                gateways[index].entry = entry
                for other in gateways.indices where other != index {
                    later(Int64.random(in: 50...500, using: &random), .entry(entry, of: index, to: other))
                }
            case .frame(let bytes, let node):
                guard let other = gateways.firstIndex(where: { $0.node == node }) else { continue }
                // In order, as on a stream.
                let pair = [index, other]
                let at = max(
                    lastFrameAt[pair] ?? 0, time + Int64.random(in: 1...150, using: &random) * Self.millisecond)
                lastFrameAt[pair] = at
                let wait = (at - time) / Self.millisecond
                if Int.random(in: 1...100, using: &random) <= lossOfFrames {
                    step(index, .lost(node))
                } else {
                    later(wait, .frame(bytes, from: index, to: other, lifeOfSender: gateways[index].life))
                }
            case .take(let id, let taken): commit(id, taken.map(\.payload), acknowledge: false, at: index)
            }
        }
        readWake(index)
    }

    private mutating func readWake(_ index: Int) {
        gateways[index].wakesAt = gateways[index].feed?.wake?.nanoseconds ?? .max
        precondition(gateways[index].wakesAt >= time, "a wake in the past at \(index)")
    }

    private mutating func deliver(_ bytes: [UInt8], from sender: Int, to receiver: Int) {
        guard gateways[receiver].feed != nil, hears(sender, receiver) else {
            return step(sender, .lost(gateways[receiver].node))
        }
        step(receiver, .frame(bytes, from: gateways[sender].node))
    }

    private func hears(_ one: Int, _ other: Int) -> Bool { !parted.contains([min(one, other), max(one, other)]) }

    // MARK: Coming and going

    private mutating func setPresence(of index: Int, _ isThere: Bool, at receiver: Int) {
        let node = gateways[index].node
        gateways[receiver].present.removeAll { $0 == node }
        if isThere { gateways[receiver].present.append(node) }
        step(receiver, .members(own: gateways[receiver].node, present: gateways[receiver].present.sorted()))
    }

    private mutating func kill(_ index: Int) {
        guard gateways[index].feed != nil else { return }
        disconnect(index, tells: false)
        gateways[index].feed = nil
        gateways[index].life += 1
        gateways[index].entry = nil
        gateways[index].present = []
        for other in gateways.indices where other != index {
            let wait = Int64.random(in: 4000...12_000, using: &random)
            later(wait, .presence(of: index, isThere: false, to: other, life: gateways[index].life))
        }
    }

    private mutating func start(_ index: Int) {
        guard gateways[index].feed == nil else { return }
        gateways[index].life += 1
        gateways[index].feed = SharedFeed(node: gateways[index].node, reporter: random.next())
        step(index, .routes([Self.route]))
        for other in gateways.indices where other != index && gateways[other].feed != nil && hears(index, other) {
            later(Int64.random(in: 100...1500, using: &random), .presence(of: other, isThere: true, to: index, life: 0))
            later(Int64.random(in: 500...2500, using: &random), .entry(gateways[other].entry, of: other, to: index))
            // The new life's word ends what the old one said.
            later(Int64.random(in: 100...1000, using: &random), .presence(of: index, isThere: true, to: other, life: 0))
            later(Int64.random(in: 200...1500, using: &random), .entry(nil, of: index, to: other))
        }
        connect(index)
    }

    private mutating func disconnect(_ index: Int, tells: Bool = true) {
        guard gateways[index].isConnected else { return }
        gateways[index].isConnected = false
        gateways[index].handed = []
        if tells { step(index, .linkDown) }
    }

    private mutating func connect(_ index: Int) {
        guard !gateways[index].isConnected, gateways[index].feed != nil else { return }
        gateways[index].isConnected = true
        step(index, .linkUp(epoch: random.next()))
        for number in gateways[index].session.sorted() { send(number, to: index) }
    }

    private mutating func part(_ one: Int, _ other: Int) {
        parted.insert([min(one, other), max(one, other)])
        for (here, there) in [(one, other), (other, one)] {
            later(
                Int64.random(in: 4000...12_000, using: &random),
                .presence(of: there, isThere: false, to: here, life: gateways[there].life))
        }
    }

    private mutating func heal() {
        let pairs = parted.sorted { ($0[0], $0[1]) < ($1[0], $1[1]) }
        parted = []
        for pair in pairs {
            for (here, there) in [(pair[0], pair[1]), (pair[1], pair[0])] where gateways[there].feed != nil {
                later(
                    Int64.random(in: 100...3000, using: &random), .presence(of: there, isThere: true, to: here, life: 0)
                )
            }
        }
    }

    // MARK: Figures

    /// Messages that are on no disk.
    var missing: [Int] {
        messages.map(\.number).filter { number in !gateways.contains { $0.durable[number] != nil } }
    }

    /// How many more times messages are on disks than once.
    var doubled: Int {
        messages.reduce(0) { sum, message in
            sum + max(0, gateways.reduce(0) { $0 + ($1.durable[message.number] ?? 0) } - 1)
        }
    }

    /// The same by what the messages say: those that are alike may stand for one another.
    var missingByKey: Int {
        var published: [MessageKey: Int] = [:]
        for message in messages { published[message.key, default: 0] += 1 }
        for gateway in gateways {
            for (number, count) in gateway.durable { published[messages[number].key, default: 0] -= count }
        }
        return published.values.reduce(0) { $0 + max(0, $1) }
    }

    /// Publishes one message each `interval` milliseconds for a while, on `topics` topics.
    mutating func load(every interval: Int64, for duration: Int64, topics: Int = 8, values: Int? = nil) {
        let end = time + duration * Self.millisecond
        later(0, .load(every: interval, until: end, topics: topics, values: values))
    }
}
