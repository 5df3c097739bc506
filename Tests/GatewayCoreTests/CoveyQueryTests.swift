import Environment
import LogFormat
import Model
import Replication
import RingLog
import Testing

@testable import GatewayCore

/// Queries of one gateway about readings that are on others' disks.
@Suite struct CoveyQueryTests {
    /// Each gateway has its own readings alone, or those of `copies`.
    private func covey(
        copies: Int = 1, gateways: Int = 3, rounds: Int = 30,
        alter: @escaping (Int, inout ClusterSetup) -> Void = { _, _ in }
    ) throws -> CoveyBench {
        let covey = try CoveyBench(gateways: gateways) { index, setup in
            setup.replication.copies = .number(copies)
            alter(index, &setup)
        }
        covey.reachesSink = []
        covey.run(seconds: 10)
        for _ in 0..<rounds {
            for index in 0..<2 { covey.feed(index, 20) }
            covey.run(seconds: 0.1)
        }
        covey.run(seconds: 10)
        return covey
    }

    @Test(
        "A gateway that holds nothing tells all readings of the covey, each once, in order, and stores none",
        arguments: [false, true])
    func nothingHere(newestFirst: Bool) throws {
        let covey = try covey()
        let before = covey.core(2).ring.statistics
        let run = covey.query(2, QueryWish(globs: [], from: nil, to: nil, newestFirst: newestFirst))
        covey.go(on: run)
        #expect(run.query.isDone && run.query.missing.isEmpty)
        #expect(run.count(of: covey.log(0)) == 600 && run.count(of: covey.log(1)) == 600)
        #expect(run.told.count == 1200 && Set(run.keys).count == 1200 && run.isInOrder)
        #expect(run.told.allSatisfy { $0.name?.log == $0.reading.stored.log })
        #expect(run.query.counts.readings == 1200 && run.query.counts.malformed == 0)
        #expect(covey.core(2).ring.statistics.readingsHeld == before.readingsHeld)
        #expect(covey.core(2).ring.copies.allSatisfy { $0.stored == 0 })
    }

    @Test("What is here comes from here, and others are asked for the rest alone")
    func rest() throws {
        let covey = try covey()
        covey.feed(2, 40)
        covey.run(seconds: 2)
        let run = covey.query(0)
        covey.go(on: run)
        #expect(run.told.count == 1240 && Set(run.keys).count == 1240 && run.isInOrder)
        #expect(run.query.counts.readings == 640)
        #expect(run.told.filter { $0.name == nil }.allSatisfy { $0.reading.stored.log == covey.log(0) })
    }

    @Test("A time, a pattern and a number of the newest are kept to by whoever is asked")
    func wishes() throws {
        let covey = try covey()
        let all = covey.query(2)
        covey.go(on: all)
        let (from, to) = (all.told[400].reading.time, all.told[800].reading.time)
        let wanted = all.told.map(\.reading).filter {
            $0.time >= from && $0.time < to && $0.stored.reading.series.device.rawValue == "d1"
        }
        let run = covey.query(2, QueryWish(globs: [Glob("d1")], from: from, to: to, newestFirst: false))
        covey.go(on: run)
        #expect(!wanted.isEmpty && run.told.map(\.reading) == wanted)
        let newest = covey.query(2, QueryWish(globs: [], from: nil, to: nil, newestFirst: true), limit: 10)
        newest.pageReadings = 10
        covey.go(on: newest) { $0.told.count >= 10 }
        #expect(newest.told.map(\.reading) == all.told.suffix(10).map(\.reading).reversed())
        #expect(newest.query.counts.readings <= 20)
    }

    @Test("A holder that dies between two pages is followed by another one at the same place")
    func deathBetweenPages() throws {
        let covey = try covey(copies: 2, gateways: 4)
        let asker = try #require((2..<4).first { index in covey.held(covey.log(0)!, by: index) == 0 })
        let run = covey.query(asker, QueryWish(globs: [Glob("d0")], from: nil, to: nil, newestFirst: false), limit: 50)
        covey.go(on: run) { $0.told.count >= 150 }
        #expect(run.told.count < 600)
        covey.kill(0)
        covey.go(on: run)
        #expect(run.query.isDone && run.query.missing.isEmpty)
        #expect(
            run.count(of: covey.core(asker).elsewhere(of: nil).first { $0.log.node == CoveyBench.node(0) }?.log.log)
                == 600)
        #expect(Set(run.keys).count == 600 && run.isInOrder && run.query.counts.unanswered == 1)
    }

    @Test("Two holders with different parts bring them together, and a part of one that is gone is named")
    func parts() throws {
        var scripted = ScriptedHolders()
        scripted.hold(1, 0..<50)
        scripted.hold(2, 50..<100)
        scripted.hold(3, 90..<120, standing: .gone)
        let told = scripted.run()
        #expect(told.map(\.reading.stored.offset.rawValue) == Array(0..<100))
        let missing = try #require(scripted.query.missing.first)
        #expect(missing.ranges == OffsetRanges(Offset(100)..<Offset(120)))
        #expect(missing.holders == [Missing.Holder(node: ScriptedHolders.node(3), reason: .gone)])
        #expect(
            Missing.sentences(scripted.query.missing) { "gw\($0.low)" } == [
                "the answer may be partial: 20 readings of gw9 are not on this disk; they are held by gw3 (gone): "
                    + "log 0000000000000005 from 100 to 119"
            ])
    }

    @Test("What a holder has no more is asked of the next, and is missing where none has it")
    func evicted() {
        var scripted = ScriptedHolders()
        scripted.hold(1, 0..<100, reallyHas: 40..<100)
        scripted.hold(2, 0..<60, reallyHas: 20..<60)
        let told = scripted.run()
        #expect(told.map(\.reading.stored.offset.rawValue) == Array(20..<100))
        #expect(scripted.query.missing.map(\.ranges) == [OffsetRanges(Offset(0)..<Offset(20))])
        #expect(scripted.query.missing.flatMap(\.holders).allSatisfy { $0.reason == .without })
    }

    @Test(
        "A holder that says nothing is waited for so long, the next is asked, and no answer is waited for longer than 5 s"
    )
    func silence() {
        for silent in [[1], [1, 2], [1, 2, 3]] {
            var scripted = ScriptedHolders()
            for holder in 1...3 { scripted.hold(holder, 0..<30) }
            scripted.silent = Set(silent.map { ScriptedHolders.node($0) })
            let told = scripted.run()
            #expect(told.count == (silent.count < 3 ? 30 : 0))
            #expect(scripted.seconds >= 2 * Double(min(silent.count, 2)) - 0.01 && scripted.seconds < 5.1)
            #expect(scripted.query.missing.isEmpty == (silent.count < 3))
            #expect(scripted.query.counts.unanswered == UInt64(silent.count))
        }
    }

    @Test("Thousands of logs are asked for in questions of so many, and what is too many to ask for is named")
    func manyLogs() throws {
        for (count, isCrowded) in [(1000, false), (20_000, true)] {
            let ranges = OffsetRanges(Offset(0)..<Offset(10))
            let holders = [Elsewhere.Holder(node: CoveyBench.node(1), ranges: ranges, standing: .alive)]
            let elsewhere = (0..<count).map {
                Elsewhere(log: LogName(node: CoveyBench.node(2), log: LogID(UInt64($0))), holders: holders)
            }
            var query = CoveyQuery(CoveyBench.everything, elsewhere: elsewhere)
            var random = SeededRandom(seed: 1)
            let directives = query.step(.tick, now: MonotonicInstant(nanoseconds: 0), using: &random)
            var (asked, questions) = (Set<LogName>(), 0)
            for case .send(let bytes, _) in directives {
                guard case .question(_, let question) = try QueryFrame(decoding: bytes) else { continue }
                #expect(question.parts.count <= QueryLimits.parts && bytes.count < 64 << 10)
                asked.formUnion(question.parts.map(\.name))
                questions += 1
            }
            #expect(questions == min((count + QueryLimits.parts - 1) / QueryLimits.parts, QueryLimits.inFlight))
            #expect(asked.count == min(count, QueryLimits.inFlight * QueryLimits.parts))
            #expect(query.sources.count <= QueryLimits.sources)
            #expect(query.missing.isEmpty != isCrowded)
            let missing = query.missing.reduce(0) { $0 + $1.ranges.readings }
            let told = query.sources.reduce(0) { $0 + $1.parts.count * 10 }
            #expect(missing + UInt64(told) == UInt64(count * 10))
            #expect(query.pageReadings * query.sources.count <= QueryLimits.heldReadings)
        }
    }

    @Test("Whoever reads the answer may take any time, and nothing is missing for that")
    func slowReader() {
        var scripted = ScriptedHolders()
        scripted.hold(1, 0..<100)
        scripted.hold(2, 100..<200)
        scripted.pause = .seconds(60)
        #expect(scripted.run().count == 200 && scripted.query.missing.isEmpty)
        #expect(scripted.query.counts.unanswered == 0 && scripted.seconds > 1000)
    }

    @Test("A busy holder is asked again, and one that stays busy is given up after 5 s")
    func busy() {
        var scripted = ScriptedHolders()
        scripted.hold(1, 0..<30)
        scripted.busyAnswers = 3
        #expect(scripted.run().count == 30 && scripted.query.missing.isEmpty)
        #expect(scripted.seconds > 0.8 && scripted.seconds < 2)
        var never = ScriptedHolders()
        never.hold(1, 0..<30)
        never.busyAnswers = .max
        #expect(never.run().isEmpty && never.seconds > 4.9 && never.seconds < 5.5)
        #expect(never.query.missing.map(\.ranges) == [OffsetRanges(Offset(0)..<Offset(30))])
    }

    @Test("Whoever answers something else is counted and not believed", arguments: ScriptedHolders.Lie.allCases)
    func rubbish(lie: ScriptedHolders.Lie) {
        var scripted = ScriptedHolders()
        scripted.hold(1, 0..<30)
        scripted.hold(2, 0..<30)
        scripted.lies = [ScriptedHolders.node(1): lie]
        let told = scripted.run()
        #expect(told.map(\.reading.stored.offset.rawValue) == Array(0..<30))
        #expect(told.allSatisfy { $0.reading.stored.reading.value != .number(-1) })
        #expect(scripted.query.counts.malformed == 1 && scripted.query.missing.isEmpty)
    }

    @Test("A gateway that cannot be heard is missing after its time, whoever else is there")
    func partition() throws {
        let covey = try covey()
        let run = covey.query(2)
        covey.unheard[2] = 0
        let seconds = covey.go(on: run)
        #expect(run.query.isDone && seconds < 5.5 && run.reasons == [.silent])
        #expect(run.missingReadings == 600 && run.count(of: covey.log(1)) == 600 && run.told.count == 600)
    }

    @Test("A gateway of an older version is not asked, and named")
    func olderVersion() throws {
        let covey = try covey { index, setup in
            if index == 0 { setup.features = 0 }
        }
        let run = covey.query(2)
        covey.go(on: run)
        #expect(run.query.isDone && run.reasons == [.old] && run.missingReadings == 600)
        #expect(run.count(of: covey.log(1)) == 600 && run.told.count == 600)
        for index in 0..<3 { #expect(covey.core(index).cluster?.ignored.total == 0) }
        // It may ask others all the same.
        let other = covey.query(0)
        covey.go(on: other)
        #expect(other.told.count == 1200 && other.query.missing.isEmpty)
    }

    @Test(
        "Of a peer's questions so many wait, of all peers' so many, one is read for at a time, and more are told to come again"
    )
    func serving() {
        var desk = QuestionDesk()
        let question = PeerQuestion(wish: CoveyBench.everything, parts: [], after: nil, limit: 1)
        var taken = 0
        for peer in 0..<8 {
            for number in 0..<8 {
                let id = QuestionID(UInt64(peer * 8 + number))
                let asked = AskedQuestion(id: id, peer: CoveyBench.node(peer), question: question)
                if desk.take(asked) { taken += 1 }
                #expect(desk.waiting.count { $0.peer == asked.peer } <= QueryLimits.waitingPerPeer)
                if desk.reading == nil { #expect(desk.next() != nil) }
                #expect(desk.next() == nil)
            }
        }
        #expect(taken == QueryLimits.waitingInAll && desk.counts.turnedAway == 64 - UInt64(taken))
        var served = 0
        while let reading = desk.reading {
            #expect(!desk.finish(QuestionID(999)) && desk.finish(reading.id))
            served += 1
            _ = desk.next()
        }
        #expect(served == taken && desk.waiting.isEmpty)
    }

    @Test("Questions and their answers have these bytes, and arbitrary bytes end in one of them or in an error")
    func frames() throws {
        let name = LogName(node: NodeID(high: 1, low: 2), log: LogID(3))
        let place = QueryPlace(time: Milliseconds(-2), log: LogID(4), offset: Offset(300))
        let question = PeerQuestion(
            wish: QueryWish(globs: [Glob("a*")], from: Milliseconds(1), to: nil, newestFirst: true),
            parts: [.init(name: name, ranges: OffsetRanges(Offset(5)..<Offset(7)))], after: place, limit: 9)
        let fixed: (UInt8) -> [UInt8] = { [$0, 0, 0, 0, 0, 0, 0, 0] }
        // Step by step: long sums of literals take some compilers too long.
        func joined(_ parts: [UInt8]...) -> [UInt8] { parts.reduce(into: []) { $0 += $1 } }
        let placed = joined([3], fixed(4), [0xAC, 2])
        let names = joined(fixed(1), fixed(2), fixed(3))
        let asked = joined(
            [1, 1], fixed(8), [0b1011, 2], placed, [9, 1, 2, 0x61, 0x2A, 1], names, [1, 5, 2])
        let answered = joined([1, 2], fixed(8), [1], placed, [1, 1, 5, 1, 2, 7, 7])
        let held = [OffsetRanges(Offset(5)..<Offset(6))]
        let golden: [(QueryFrame, [UInt8])] = [
            (.question(QuestionID(8), question), asked),
            (.answer(QuestionID(8), held: held, end: place, bytes: [7, 7]), answered),
            (.busy(QuestionID(8)), [1, 3] + fixed(8)), (.refused(QuestionID(8)), [1, 4] + fixed(8)),
        ]
        for (frame, bytes) in golden {
            #expect(frame.encoded == bytes)
            #expect(QueryFrame.id(of: bytes) == QuestionID(8))
            #expect((0..<10).allSatisfy { QueryFrame.id(of: Array(bytes.prefix($0))) == nil })
            #expect(try QueryFrame(decoding: bytes + [0xEE]) == frame)
            for count in bytes.indices {
                #expect(throws: FormatError.self) { try QueryFrame(decoding: Array(bytes.prefix(count))) }
            }
        }
        var random = SeededRandom(seed: 4)
        for _ in 0..<20_000 {
            var bytes = golden[Int.random(in: 0..<2, using: &random)].1
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if let frame = try? QueryFrame(decoding: bytes) {
                #expect(try QueryFrame(decoding: frame.encoded) == frame)
            }
        }
    }
}
