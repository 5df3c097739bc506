import Environment
import Model
import Replication
import Testing

@Suite("What a gateway says that it holds")
struct ClaimTests {
    private let mine = log(of: 0)
    private let theirs = log(of: 1)

    @Test("is told at every commit for the open log, and seldom for copies")
    func coalesced() {
        var rig = Rig(peers: 2)
        rig.send(.opened(mine))
        for end in 1...20 {
            #expect(rig.send(.held(mine, offsets(0..<end))).claims.map(\.holdings) == [claim(0..<end)])
        }
        _ = rig.pass(.seconds(1))
        var claims = 0
        for end in 1...100 {
            claims += rig.send(.held(theirs, offsets(0..<end))).claims.count
            claims += rig.pass(.milliseconds(20)).claims.count
        }
        #expect((4...6).contains(claims))
        _ = rig.pass(.seconds(1))
        #expect(rig.pass(.seconds(60)).isEmpty)
    }

    @Test("understates where there are more ranges than fit")
    func understates() {
        var rig = Rig(peers: 2)
        var held = OffsetRanges()
        var last: Holdings?
        for index in 0..<40 {
            held.insert(offsets(index * 10..<index * 10 + 4))
            last = rig.send(.held(mine, offsets(index * 10..<index * 10 + 4))).claims.last?.holdings ?? last
        }
        last = rig.pass(.seconds(1)).claims.last?.holdings ?? last
        #expect(last?.ranges.ranges.count == 16)
        #expect(held.contains(last?.ranges ?? OffsetRanges()))
        #expect(last?.end == Offset(394))
    }

    @Test("carries what was lost and what its owner lets go of")
    func lost() {
        var rig = Rig(peers: 2)
        rig.send(.opened(mine))
        rig.send(.held(mine, offsets(0..<100)))
        rig.send(.lost(mine, offsets(0..<10), .evicted))
        rig.send(.lost(mine, offsets(10..<12), .released))
        let claims = rig.send(.released(mine, Offset(12))).claims + rig.pass(.seconds(1)).claims
        var expected = claim(12..<100, lost: set(0..<10))
        expected.released = Offset(12)
        #expect(claims.last?.holdings == expected)
    }

    @Test("ends where nothing is held any more, and the log is forgotten with the last claim about it")
    func withdrawn() {
        var rig = Rig(peers: 2)
        rig.send(.held(theirs, offsets(0..<10)))
        rig.send(.claim(of: gateway(1), theirs, claim(0..<10)))
        _ = rig.pass(.seconds(1))
        let lost = rig.send(.lost(theirs, offsets(0..<10), .released))
        #expect((lost + rig.pass(.seconds(1))).contains(.withdraw(theirs)))
        #expect(rig.replicator.knownLogs == [theirs])
        rig.send(.claim(of: gateway(1), theirs, nil))
        _ = rig.pass(.seconds(10))
        #expect(rig.replicator.knownLogs.isEmpty)
    }

    @Test("is put right where others believe something from before the start")
    func believedFromBefore() {
        var rig = Rig(peers: 2)
        rig.send(.held(theirs, offsets(0..<10)))
        let first = rig.send(.claim(of: gateway(0), theirs, claim(0..<90))) + rig.pass(.seconds(1))
        #expect(first.claims.map(\.holdings) == [claim(0..<10)])
        let second = rig.send(.claim(of: gateway(0), log(of: 2), claim(0..<90))) + rig.pass(.seconds(1))
        #expect(second.contains(.withdraw(log(of: 2))))
        #expect(rig.send(.claim(of: gateway(0), theirs, claim(0..<10))).isEmpty)
    }

    @Test("of a peer may shrink, but the end of the log never goes back and closed stays closed")
    func endStays() {
        var rig = Rig(peers: 2)
        rig.send(.claim(of: gateway(1), theirs, claim(0..<100, isClosed: true)))
        rig.send(.claim(of: gateway(1), theirs, claim(50..<60)))
        #expect(rig.replicator.end(of: theirs) == Offset(100))
        #expect(rig.replicator.isClosed(theirs))
        rig.send(.claim(of: gateway(2), theirs, claim(50..<130)))
        #expect(rig.replicator.end(of: theirs) == Offset(130))
        #expect(rig.replicator.holders(of: theirs, at: Offset(10)).isEmpty)
    }

    @Test("says that one's own older log is over, though it comes back from peers only")
    func ownOlderLog() {
        var rig = Rig(peers: 2)
        rig.send(.opened(log(of: 0, 2)))
        rig.send(.claim(of: gateway(1), log(of: 0, 1), claim(0..<10)))
        #expect(rig.replicator.isClosed(log(of: 0, 1)))
        #expect(!rig.replicator.isClosed(log(of: 0, 2)))
        rig.send(.claim(of: gateway(1), log(of: 2, 1), claim(0..<10)))
        #expect(!rig.replicator.isClosed(log(of: 2, 1)))
    }

    @Test("is passed over and counted where it is about one log more than can be known, and those known go on")
    func tooManyLogs() {
        var rig = Rig(peers: 9)
        for life in 1...16_384 { rig.send(.claim(of: gateway(1), log(of: 1, life), claim(0..<1, isClosed: true))) }
        #expect(rig.replicator.counts.ignoredClaims == 0)
        let more = LogName(node: gateway(2), log: LogID(1))
        rig.send(.claim(of: gateway(2), more, claim(0..<1)))
        #expect(rig.replicator.counts.ignoredClaims == 1)
        #expect(rig.replicator.knownLogs.count == 16_384 && !rig.replicator.knownLogs.contains(more))
        rig.send(.claim(of: gateway(1), log(of: 1, 1), claim(0..<2, isClosed: true)))
        #expect(rig.replicator.end(of: log(of: 1, 1)) == Offset(2))
        #expect(rig.replicator.counts.ignoredClaims == 1)
    }

    @Test("counts no more once the gateway is forgotten")
    func forgotten() {
        var rig = Rig(peers: 2)
        rig.send(.claim(of: gateway(1), theirs, claim(0..<100)))
        rig.send(.members(alive: [gateway(2)], known: [gateway(2)]))
        rig.send(.forgotten(gateway(1)))
        _ = rig.pass(.seconds(1))
        #expect(rig.replicator.knownLogs.isEmpty)
    }
}
