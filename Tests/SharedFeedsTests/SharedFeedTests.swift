import Environment
import Model
import SharedFeeds
import Testing

@Suite("Several gateways on one broker, in simulated time")
struct SharedFeedTests {
    private func world(_ count: Int = 3, seed: UInt64 = 1) -> FeedWorld {
        var world = FeedWorld(count, seed: seed)
        for index in 0..<count { world.later(Int64(index) * 200, .start(index)) }
        world.run(30_000)
        return world
    }

    @Test("Each message is taken once while all live, and all take their share")
    func steady() {
        var world = world()
        world.load(every: 10, for: 20_000, topics: 40)
        world.run(120_000)
        #expect(world.missing.isEmpty)
        #expect(world.doubled == 0)
        for gateway in world.gateways { #expect(gateway.durable.count > 200) }
        for gateway in world.gateways { #expect(gateway.feed?.status.waiting == 0) }
    }

    @Test("A gateway alone takes all, as soon as it knows that it is alone")
    func alone() {
        var world = FeedWorld(2, seed: 3)
        world.later(0, .start(0))
        world.load(every: 20, for: 5000)
        world.run(9000)
        #expect(world.gateways[0].durable.isEmpty)
        world.run(20_000)
        #expect(world.missing.isEmpty)
        #expect(world.doubled == 0)
    }

    @Test("What a killed owner had not reported the others take, and no more than that twice", arguments: 1...6)
    func death(seed: Int) {
        var world = world(seed: UInt64(seed))
        world.load(every: 10, for: 30_000)
        world.later(10_000, .kill(0))
        world.run(120_000)
        #expect(world.missing.isEmpty)
        // Its messages of the last report's interval and transit, of those of a commit: less than a second of all.
        #expect(world.doubled <= 100, "\(world.doubled)")
    }

    @Test("A gateway that returns takes its share back without a double and without what went by", arguments: 1...6)
    func returns(seed: Int) {
        var world = world(seed: UInt64(seed))
        world.later(0, .kill(1))
        world.run(20_000)
        world.load(every: 10, for: 60_000)
        world.later(20_000, .start(1))
        world.run(180_000)
        #expect(world.missing.isEmpty)
        #expect(world.doubled == 0)
        #expect(world.gateways[1].durable.count > 0)
        #expect(world.gateways[1].feed?.status.waiting == 0)
    }

    @Test("One that was away for longer than others remember takes nothing of what went by")
    func longAway() {
        var world = world(2)
        world.later(0, .kill(1))
        world.run(20_000)
        world.load(every: 2, for: 50_000, topics: 20)
        world.run(55_000)
        #expect(world.messages.count > SharedFeedLimits.reports * 5 / 4)
        world.later(0, .start(1))
        world.run(120_000)
        #expect(world.missing.isEmpty)
        #expect(world.doubled == 0)
    }

    @Test("A connection to the broker that breaks hands its topics on, and takes them back", arguments: 1...6)
    func linkLoss(seed: Int) {
        var world = world(seed: UInt64(seed))
        world.load(every: 10, for: 60_000)
        world.later(10_000, .disconnect(0))
        world.later(10_400, .connect(0))
        world.later(20_000, .disconnect(0))
        world.later(35_000, .connect(0))
        world.run(180_000)
        #expect(world.missing.isEmpty)
        #expect(world.doubled <= 100, "\(world.doubled)")
    }

    @Test("What an owner got and does not make durable for a minute another one takes")
    func hungOwner() {
        var world = world(2)
        world.hung = [0]
        world.load(every: 100, for: 5000)
        world.run(60_000)
        #expect(!world.missing.isEmpty)
        world.run(30_000)
        #expect(world.missing.isEmpty)
        #expect(world.doubled == 0)
    }

    @Test("Messages that are alike are counted, not confused", arguments: 1...4)
    func alike(seed: Int) {
        var world = world(seed: UInt64(seed))
        world.load(every: 10, for: 60_000, topics: 4, values: 1)
        world.later(15_000, .kill(2))
        world.later(40_000, .start(2))
        world.run(200_000)
        #expect(world.missingByKey == 0)
        #expect(world.doubled <= 100)
    }

    @Test("In a partition whose parts all reach the broker all is taken, by each part", arguments: 1...3)
    func partition(seed: Int) {
        var world = world(seed: UInt64(seed))
        world.load(every: 10, for: 60_000)
        world.later(5000, .part(0, 1))
        world.later(5000, .part(0, 2))
        world.later(40_000, .heal)
        world.run(200_000)
        #expect(world.missing.isEmpty)
        // Twice what was published in the meantime, at most: there are two parts.
        #expect(world.doubled <= 3800)
    }

    @Test("Whatever dies, returns and breaks, nothing is lost while one gateway lives", arguments: 1...12)
    func anything(seed: Int) {
        var world = world(3, seed: UInt64(seed))
        world.lossOfFrames = seed % 3
        var random = SeededRandom(seed: UInt64(seed) &+ 1000)
        world.load(every: 40, for: 150_000)
        for round in 0..<6 {
            let at = Int64(round) * 25_000 + Int64.random(in: 0..<12_000, using: &random)
            // The third always lives, so that somebody does.
            let victim = Int.random(in: 0..<2, using: &random)
            let pause = Int64.random(in: 200..<30_000, using: &random)
            if Bool.random(using: &random) {
                world.later(at, .kill(victim))
                world.later(at + pause, .start(victim))
            } else {
                let any = Int.random(in: 0..<3, using: &random)
                world.later(at, .disconnect(any))
                world.later(at + pause, .connect(any))
            }
        }
        world.run(260_000)
        #expect(world.missing.isEmpty, "\(world.missing.prefix(5)) of \(world.messages.count)")
        // Most is known again. What a gateway missed while nobody read without a break, and those that took it are dead by now, is not.
        #expect(world.doubled <= world.messages.count / 4, "\(world.doubled)")
    }

    @Test("Reports that are no reports are counted and passed over")
    func malformed() {
        var feed = SharedFeed<Int>(node: NodeID(high: 0, low: 1), reporter: 1)
        let now = MonotonicInstant(nanoseconds: 1)
        let other = NodeID(high: 0, low: 2)
        var random = SeededRandom(seed: 9)
        for length in 0..<200 {
            let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            #expect(feed.step(.frame(bytes, from: other), now: now).isEmpty)
        }
        #expect(feed.status.counts.malformed > 100)
    }

    @Test("What a gateway reads is told in parts, of which none may be missing", arguments: [0, 1, 100, 101, 3200])
    func pages(count: Int) {
        let entry = SharedFeedEntry(epoch: 7, routes: (0..<count).map { RouteID(UInt64($0)) })
        let pages = entry.pages
        #expect(pages.allSatisfy { $0.count <= 900 })
        #expect(SharedFeedEntry(pages: pages) == entry)
        #expect(SharedFeedEntry(pages: []) == nil)
        if pages.count > 1 { #expect(SharedFeedEntry(pages: Array(pages.dropLast())) == nil) }
        let later = SharedFeedEntry(epoch: 8, routes: entry.routes).pages
        if pages.count > 1 { #expect(SharedFeedEntry(pages: [later[0]] + pages.dropFirst()) == nil) }
        #expect(SharedFeedEntry(pages: [Array(pages[0].dropLast())]) == nil)
    }

    @Test("What does not fit the memory falls out, oldest first, and is counted")
    func fullMemory() {
        var feed = SharedFeed<Int>(node: NodeID(high: 0, low: 1), reporter: 1)
        let (route, other) = (RouteID(1), NodeID(high: 0, low: 2))
        var now = MonotonicInstant(nanoseconds: 0)
        _ = feed.step(.routes([route]), now: now)
        _ = feed.step(.members(own: NodeID(high: 0, low: 1), present: [other]), now: now)
        _ = feed.step(.entry(SharedFeedEntry(epoch: 3, routes: [route]), of: other), now: now)
        _ = feed.step(.linkUp(epoch: 2), now: now)
        now = now.advanced(by: .seconds(4))
        _ = feed.step(.tick, now: now)
        for number in 0..<(SharedFeedLimits.messages + 10) {
            let key = MessageKey(hash: UInt64(number), route: route, isKept: true)
            let message = SharedMessage(
                route: route, topic: 5, key: key, bytes: 10, arrival: now, messageID: 0, isRedelivery: false,
                payload: number)
            let admission = feed.admit([message], now: now)
            #expect(admission?.decisions == [.standBy])
        }
        #expect(feed.status.waiting == SharedFeedLimits.messages)
        #expect(feed.status.counts.dropped == 10)
    }
}
