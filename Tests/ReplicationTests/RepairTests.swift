import Environment
import Model
import Replication
import Testing

@Suite("Fetching copies")
struct RepairTests {
    private let theirs = log(of: 1)

    @Test("asks a live holder for what is lacking, stores the chunk, and claims it once it is durable")
    func fetches() throws {
        var rig = Rig(peers: 2)
        let request = try #require(rig.send(.claim(of: gateway(1), theirs, claim(0..<500))).requests.first)
        #expect(request.log == theirs && request.range == offsets(0..<500) && request.peer == gateway(1))
        let stored = rig.answer(request)
        #expect(stored.contains(.store(request.id, theirs, [1, 2, 3], set(0..<500))))
        #expect(stored.claims.isEmpty)
        let counts = rig.replicator.counts
        #expect((counts.fetchedChunks, counts.fetchedBytes, counts.fetchedReadings) == (1, 3, 500))
        let claims = rig.send(.held(theirs, offsets(0..<500))).claims
        #expect(claims.map(\.holdings) == [claim(0..<500)])
        #expect(rig.pass(.seconds(60)).requests.isEmpty)
    }

    @Test("asks for pieces, two at most at a time, of which one is back-fill")
    func inFlight() {
        var rig = Rig(peers: 2)
        let requests = rig.send(.claim(of: gateway(1), theirs, claim(0..<100_000))).requests
        #expect(requests.map(\.range) == [offsets(97_952..<98_976), offsets(98_976..<100_000)])
        #expect(rig.answer(requests[0]).requests.map(\.range) == [offsets(0..<1024)])
        #expect(rig.answer(requests[1]).requests.isEmpty)
    }

    @Test("goes on behind what a cut chunk covered")
    func cutChunk() {
        var rig = Rig(peers: 2)
        let request = rig.send(.claim(of: gateway(1), theirs, claim(0..<1000))).requests[0]
        let next = rig.answer(request, covered: offsets(0..<300), bytes: [1])
        #expect(next.requests.map(\.range) == [offsets(300..<1000)])
    }

    @Test("takes what the fewest hold first, and closed logs before those that grow")
    func fewestFirst() {
        var rig = Rig(peers: 4)
        rig.send(.paused(true))
        let (wide, narrow) = (log(of: 1, 1), log(of: 2, 2))
        for peer in [1, 3, 4] { rig.send(.claim(of: gateway(peer), wide, claim(0..<600, isClosed: peer == 1))) }
        rig.send(.claim(of: gateway(2), narrow, claim(0..<500, isClosed: true)))
        rig.send(.claim(of: gateway(4), narrow, claim(0..<400)))
        let first = rig.send(.paused(false)).requests
        #expect(first.map(\.log) == [narrow])
        #expect(first.map(\.range) == [offsets(400..<500)])
        let second = rig.answer(first[0]).requests
        #expect(second.map(\.range) == [offsets(0..<400)])
        #expect(rig.answer(second[0]).requests.map(\.log) == [wide])
    }

    @Test("never asks for what is here, settled, released, evicted, or on its way")
    func notAskedFor() {
        var rig = Rig(peers: 2)
        rig.send(.paused(true))
        rig.send(.held(theirs, offsets(100..<200)))
        rig.send(.lost(theirs, offsets(300..<400), .evicted))
        var owner = claim(0..<1000)
        owner.released = Offset(50)
        rig.send(.claim(of: gateway(1), theirs, owner))
        rig.send(.settled(theirs, Offset(120)))
        let first = rig.send(.paused(false)).requests
        #expect(first.map(\.range) == [offsets(200..<300), offsets(400..<1000)])
        rig.send(.claim(of: gateway(2), theirs, claim(0..<1000)))
        #expect(rig.answer(first[0]).requests.isEmpty)
        #expect(rig.answer(first[1]).requests.isEmpty)
    }

    @Test("remembers what is settled of a log that nobody has claimed yet")
    func settledFirst() {
        var rig = Rig(peers: 2)
        rig.send(.settled(theirs, Offset(80)))
        _ = rig.pass(.seconds(60))
        let requests = rig.send(.claim(of: gateway(1), theirs, claim(0..<100))).requests
        #expect(requests.map(\.range) == [offsets(80..<100)])
    }

    @Test("is more patient with a slow peer, so that little is asked for twice")
    func slowPeer() {
        var rig = Rig(peers: 1)
        var open = rig.send(.claim(of: gateway(1), theirs, claim(0..<2000))).requests
        // Each answer takes 2 s, which is longer than the first patience.
        for _ in 0..<20 {
            open += rig.pass(.seconds(2)).requests
            for request in open.suffix(2) {
                open = rig.answer(request).requests
                rig.send(.held(theirs, request.range))
            }
        }
        #expect(rig.replicator.held(of: theirs) == set(0..<2000))
        #expect(rig.replicator.counts.unanswered <= 4)
    }

    @Test("fetches damaged and released ranges again")
    func fetchedAgain() {
        var rig = Rig(peers: 2)
        rig.send(.held(theirs, offsets(0..<100)))
        rig.send(.claim(of: gateway(1), theirs, claim(0..<100)))
        #expect(rig.send(.lost(theirs, offsets(10..<20), .damaged)).requests.map(\.range) == [offsets(10..<20)])
        #expect(rig.send(.lost(theirs, offsets(30..<40), .released)).requests.map(\.range) == [offsets(30..<40)])
    }

    @Test("fetches what damage took of its own logs, though they are settled, and nothing else of them")
    func fetchedBack() {
        var rig = Rig(peers: 2)
        let mine = log(of: 0)
        rig.send(.opened(mine))
        rig.send(.held(mine, offsets(0..<100)))
        rig.send(.settled(mine, Offset(100)))
        rig.send(.lost(mine, offsets(40..<50), .evicted))
        rig.send(.lost(mine, offsets(10..<20), .damaged))
        let request = rig.send(.claim(of: gateway(1), mine, claim(0..<300))).requests
        #expect(request.map(\.range) == [offsets(10..<20)])
        #expect(rig.answer(request[0]).contains(.store(request[0].id, mine, [1, 2, 3], set(10..<20))))
        rig.send(.held(mine, offsets(10..<20)))
        #expect(rig.pass(.seconds(60)).requests.isEmpty)
        rig.send(.lost(mine, offsets(90..<100), .damaged))
        #expect(rig.pass(.seconds(60)).requests.map(\.range).allSatisfy { $0 == offsets(90..<100) })
    }

    @Test("asks another holder once patience ends, and leaves the silent one alone for longer each time")
    func timeout() {
        var rig = Rig(peers: 2)
        let first = rig.send(.claim(of: gateway(1), theirs, claim(0..<100, isClosed: true))).requests[0]
        rig.send(.claim(of: gateway(2), theirs, claim(0..<100)))
        #expect(rig.pass(.milliseconds(4900)).requests.isEmpty)
        let second = rig.pass(.milliseconds(200)).requests
        #expect(second.map(\.peer) == [gateway(2)])
        // What comes too late is counted and passed over.
        #expect(rig.answer(first).filter { if case .store = $0 { true } else { false } }.isEmpty)
        #expect(rig.replicator.counts.late == 1)
        #expect(rig.replicator.counts.unanswered == 1)
        _ = rig.pass(.milliseconds(600))
        #expect(rig.send(.unreachable(gateway(2))).requests.map(\.peer) == [gateway(1)])
    }

    @Test("asks the same peer again where it is the only holder, more and more seldom")
    func backOff() {
        var rig = Rig(peers: 1)
        rig.send(.claim(of: gateway(1), theirs, claim(0..<100, isClosed: true)))
        var asked: [Int64] = []
        for _ in 0..<6 {
            rig.send(.unreachable(gateway(1)))
            let start = rig.now
            while rig.pass(.milliseconds(50)).requests.isEmpty {}
            asked.append(start.duration(to: rig.now).nanoseconds / 1_000_000)
        }
        #expect(zip(asked, asked.dropFirst()).allSatisfy { $0 < $1 })
        #expect(asked[0] < 700 && asked[5] > 10_000)
    }

    @Test("is not kept from others by one that is silent and alone holds a hundred logs")
    func silentHolder() {
        var rig = Rig(peers: 2)
        for life in 1...100 { rig.send(.claim(of: gateway(1), log(of: 1, life), claim(0..<10, isClosed: true))) }
        rig.send(.claim(of: gateway(2), log(of: 2), claim(0..<10, isClosed: true)))
        #expect(rig.send(.unreachable(gateway(1))).requests.map(\.peer) == [gateway(2)])
    }

    @Test("discounts what a holder says it lacks until it claims anew")
    func missing() {
        var rig = Rig(peers: 2)
        let request = rig.send(.claim(of: gateway(1), theirs, claim(0..<100, isClosed: true))).requests[0]
        let next = rig.answer(request, covered: offsets(0..<100), missing: set(0..<100), bytes: [])
        #expect(next.requests.isEmpty)
        #expect(rig.pass(.seconds(20)).requests.isEmpty)
        let again = rig.send(.claim(of: gateway(1), theirs, claim(0..<101, isClosed: true)))
        #expect(again.requests.map(\.range) == [offsets(0..<101)])
    }

    @Test("leaves a busy holder alone for a moment")
    func busy() {
        var rig = Rig(peers: 1)
        let request = rig.send(.claim(of: gateway(1), theirs, claim(0..<100))).requests[0]
        #expect(rig.send(.frame(ReplicationFrame.busy(request.id).encoded, from: gateway(1))).requests.isEmpty)
        #expect(rig.pass(.milliseconds(250)).requests.isEmpty)
        #expect(rig.pass(.milliseconds(100)).requests.count == 1)
    }

    @Test("takes no answer from anybody but whom it asked, none twice, and none that is not what it asked for")
    func wrongAnswers() {
        var rig = Rig(peers: 2)
        let request = rig.send(.claim(of: gateway(1), theirs, claim(0..<100))).requests[0]
        let stranger = Rig.Request(id: request.id, log: theirs, range: request.range, peer: gateway(2))
        #expect(rig.answer(stranger).isEmpty)
        #expect(!rig.answer(request).isEmpty)
        #expect(rig.answer(request).isEmpty)
        #expect(rig.replicator.counts.late == 2)
        let more = rig.send(.claim(of: gateway(1), theirs, claim(0..<200))).requests[0]
        #expect(rig.answer(more, covered: offsets(99..<200), bytes: [1]).requests.isEmpty)
        #expect(rig.replicator.counts.malformed == 1)
        #expect(rig.send(.frame([9, 9, 9], from: gateway(1))).isEmpty)
        #expect(rig.replicator.counts.malformed == 2)
    }

    @Test("stops asking while the ring has no room, and after it refused a chunk for want of it")
    func backPressure() {
        var rig = Rig(peers: 2)
        rig.send(.paused(true))
        #expect(rig.send(.claim(of: gateway(1), theirs, claim(0..<100))).requests.isEmpty)
        let request = rig.send(.paused(false)).requests[0]
        _ = rig.answer(request)
        #expect(rig.send(.refused(request.id, .noRoom)).requests.isEmpty)
        #expect(rig.pass(.milliseconds(900)).requests.isEmpty)
        #expect(rig.pass(.milliseconds(200)).requests.map(\.range) == [offsets(0..<100)])
    }

    @Test("holds a peer to account for a chunk that is none, and raises the alarm once")
    func damagedChunk() {
        var rig = Rig(peers: 2)
        var request = rig.send(.claim(of: gateway(1), theirs, claim(0..<100))).requests[0]
        var alarms = 0
        for _ in 0..<3 {
            _ = rig.answer(request)
            for case .alarm in rig.send(.refused(request.id, .damaged)) { alarms += 1 }
            var again: [Rig.Request] = []
            while again.isEmpty { again = rig.pass(.milliseconds(50)).requests }
            request = again[0]
        }
        #expect(alarms == 1)
        #expect(rig.replicator.counts.malformed == 3)
    }

    @Test("asks again for what the ring took and never made durable")
    func neverDurable() {
        var rig = Rig(peers: 2)
        let request = rig.send(.claim(of: gateway(1), theirs, claim(0..<100))).requests[0]
        _ = rig.answer(request)
        rig.send(.held(theirs, offsets(0..<40)))
        #expect(rig.pass(.seconds(29)).requests.isEmpty)
        #expect(rig.pass(.seconds(2)).requests.map(\.range) == [offsets(40..<100)])
    }

    @Test("asks nobody for more than the ring can be handed before it commits")
    func storingIsBounded() {
        var rig = Rig(peers: 1, settings: ReplicatorSettings(pieceReadings: 1))
        var open = rig.send(.claim(of: gateway(1), theirs, claim(0..<2000))).requests
        var answered = 0
        while !open.isEmpty {
            answered += 1
            open += rig.answer(open.removeFirst()).requests
        }
        #expect(answered == 32)
        #expect(rig.send(.held(theirs, offsets(0..<10))).requests.count == 2)
    }

    @Test("keeps back-fill to its rate, and fresh readings out of it")
    func rate() {
        let settings = ReplicatorSettings(pieceReadings: 1000, backfillBytesPerSecond: 64 * 1024)
        var rig = Rig(peers: 1, settings: settings)
        let chunk = [UInt8](repeating: 1, count: 64 * 1024)
        var open = rig.send(.claim(of: gateway(1), theirs, claim(0..<1_000_000, isClosed: true))).requests
        var answered = 0
        for _ in 0..<200 {
            while let request = open.popLast() {
                answered += 1
                open += rig.answer(request, bytes: chunk).requests
                rig.send(.held(theirs, request.range))
            }
            open += rig.pass(.milliseconds(50)).requests
        }
        // 10 s at one chunk each, and the burst of two.
        #expect((11...13).contains(answered))
        let fresh = rig.send(.claim(of: gateway(1), log(of: 1, 9), claim(0..<10)))
        #expect(fresh.requests.map(\.log) == [log(of: 1, 9)])
    }

    @Test("asks for fresh readings at once while back-fill waits for an answer")
    func freshLane() {
        var rig = Rig(peers: 2)
        let closed = log(of: 2)
        #expect(rig.send(.claim(of: gateway(2), closed, claim(0..<50_000, isClosed: true))).requests.count == 1)
        let fresh = rig.send(.claim(of: gateway(1), theirs, claim(0..<10))).requests
        #expect(fresh.map(\.range) == [offsets(0..<10)])
        rig.send(.held(theirs, offsets(0..<10)))
        _ = rig.answer(fresh[0])
        #expect(rig.send(.claim(of: gateway(1), theirs, claim(0..<25))).requests.map(\.range) == [offsets(10..<25)])
    }

    @Test("fetches nothing where it is no target, and nothing into logs that this ring wrote")
    func notATarget() {
        var rig = Rig(peers: 9)
        let away = (1...200).map { log(of: 1, $0) }.first { !rig.replicator.placement(of: $0).contains(gateway(0)) }!
        #expect(rig.send(.claim(of: gateway(1), away, claim(0..<100))).requests.isEmpty)
        let minted = log(of: 0, 1)
        rig.send(.minted(minted))
        rig.send(.held(minted, offsets(0..<50)))
        let directives = rig.send(.claim(of: gateway(1), minted, claim(0..<100)))
        #expect(directives.requests.isEmpty)
        // It says that others go further.
        let claims = (directives + rig.pass(.seconds(1))).claims
        #expect(claims.last?.holdings == claim(0..<50, end: 100, isClosed: true))
    }

    @Test("brings back its own old logs after its disk was lost, and claims them closed")
    func rejoin() throws {
        var rig = Rig(peers: 9)
        let old = log(of: 0, 1)
        let first = rig.send(.claim(of: gateway(3), old, claim(0..<100)))
        let request = try #require(first.requests.first)
        #expect(first.claims.map(\.holdings) == [claim(end: 100, isClosed: true)])
        _ = rig.answer(request)
        rig.send(.held(old, offsets(0..<100)))
        #expect(rig.pass(.seconds(1)).claims.map(\.holdings) == [claim(0..<100, isClosed: true)])
    }

    @Test("drops requests to a gateway that died, and takes dead holders for no source")
    func deadHolder() {
        var rig = Rig(peers: 2)
        rig.send(.claim(of: gateway(1), theirs, claim(0..<100)))
        #expect(rig.send(.members(alive: [gateway(2)], known: [gateway(1), gateway(2)])).requests.isEmpty)
        let again = rig.send(.claim(of: gateway(2), theirs, claim(0..<60)))
        #expect(again.requests.map(\.range) == [offsets(0..<60)])
        #expect(again.requests.map(\.peer) == [gateway(2)])
    }
}
