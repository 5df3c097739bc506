import Environment
import Model
import Replication
import Testing

@Suite("Giving up surplus copies")
struct HoldTests {
    /// A log of gateway 1 that gateway 0, one of ten, should not hold, and those that should.
    private func surplusLog(_ rig: Rig) -> (log: LogName, targets: [NodeID]) {
        let name = (1...200).map { log(of: 1, $0) }.first { !rig.replicator.placement(of: $0).contains(gateway(0)) }!
        return (name, rig.replicator.placement(of: name))
    }

    private func holdRequests(_ directives: [ReplicationDirective]) -> [(
        id: HoldID, ranges: OffsetRanges, peer: NodeID
    )] {
        directives.frames.compactMap {
            guard case .holdRequest(let id, _, let ranges) = $0.frame else { return nil }
            return (id, ranges, $0.peer)
        }
    }

    private func released(_ directives: [ReplicationDirective]) -> [OffsetRanges] {
        directives.compactMap { if case .release(_, let ranges) = $0 { ranges } else { nil } }
    }

    @Test("takes a grant of every gateway that should hold them")
    func allMustGrant() {
        var rig = Rig(peers: 9)
        let (name, targets) = surplusLog(rig)
        rig.send(.held(name, offsets(0..<100)))
        for target in targets.dropLast() { rig.send(.claim(of: target, name, claim(0..<100))) }
        #expect(holdRequests(rig.pass(.seconds(30))).isEmpty)
        rig.send(.claim(of: targets[2], name, claim(0..<70)))
        let requests = holdRequests(rig.pass(.seconds(10)))
        #expect(requests.map(\.peer) == targets)
        #expect(requests.allSatisfy { $0.ranges == set(0..<70) })
        var all: [ReplicationDirective] = []
        for (index, request) in requests.enumerated() {
            let ranges = index == 1 ? set(0..<60) : set(0..<70)
            let granted = ReplicationFrame.holdGranted(request.id, name, ranges)
            #expect(released(all).isEmpty)
            all += rig.send(.frame(granted.encoded, from: request.peer))
            all += rig.send(.frame(granted.encoded, from: request.peer))
        }
        #expect(released(all) == [set(0..<60)])
    }

    @Test("pays no heed to grants of an earlier round, too late, or of those that should not hold the log")
    func staleGrants() {
        var rig = Rig(peers: 9)
        let (name, targets) = surplusLog(rig)
        rig.send(.held(name, offsets(0..<100)))
        for target in targets { rig.send(.claim(of: target, name, claim(0..<100))) }
        let first = holdRequests(rig.pass(.seconds(10)))
        let second = holdRequests(rig.pass(.seconds(10)))
        #expect(first[0].id != second[0].id)
        let strangers = (1...9).map(gateway).filter { !targets.contains($0) }
        var all: [ReplicationDirective] = []
        for (old, new) in zip(first, second) {
            let (stale, good) = (
                ReplicationFrame.holdGranted(old.id, name, set(0..<100)),
                ReplicationFrame.holdGranted(new.id, name, set(0..<100))
            )
            all += rig.send(.frame(stale.encoded, from: old.peer))
            for stranger in strangers { all += rig.send(.frame(good.encoded, from: stranger)) }
        }
        #expect(released(all).isEmpty)
    }

    @Test("is taken back where this gateway should hold the log again")
    func retained() {
        var rig = Rig(peers: 9)
        let (name, targets) = surplusLog(rig)
        rig.send(.held(name, offsets(0..<100)))
        for target in targets { rig.send(.claim(of: target, name, claim(0..<100))) }
        for request in holdRequests(rig.pass(.seconds(10))) {
            let granted = ReplicationFrame.holdGranted(request.id, name, set(0..<100))
            rig.send(.frame(granted.encoded, from: request.peer))
        }
        #expect(holdRequests(rig.pass(.seconds(60))).isEmpty)
        // What has been given up is nothing to promise.
        let ask = ReplicationFrame.holdRequest(HoldID(1), name, set(0..<100)).encoded
        #expect(rig.send(.frame(ask, from: gateway(9))).isEmpty)
        let left = rig.send(.members(alive: [gateway(9)], known: (1...9).map(gateway)))
        #expect(left.contains(.retain(name)))
        #expect(rig.send(.frame(ask, from: gateway(9))).contains(.keepHold(HoldID(1), name, set(0..<100))))
    }

    @Test("is granted for what is durable here, once that is written down, and at once when asked again")
    func grants() {
        var rig = Rig(peers: 2)
        let name = log(of: 1)
        rig.send(.held(name, offsets(0..<50)))
        let ask = ReplicationFrame.holdRequest(HoldID(7), name, set(0..<100)).encoded
        #expect(rig.send(.frame(ask, from: gateway(2))) == [.keepHold(HoldID(7), name, set(0..<50))])
        #expect(rig.send(.frame(ask, from: gateway(2))).isEmpty)
        let granted = ReplicationFrame.holdGranted(HoldID(7), name, set(0..<50)).encoded
        #expect(rig.send(.holdKept(HoldID(7))) == [.frame(granted, to: gateway(2))])
        #expect(rig.send(.frame(ask, from: gateway(2))) == [.frame(granted, to: gateway(2))])
        // Lost in between: written down anew before it is promised again.
        rig.send(.lost(name, offsets(0..<10), .damaged))
        let rest = rig.send(.frame(ask, from: gateway(2)))
        #expect(
            rest.contains(.frame(ReplicationFrame.holdGranted(HoldID(7), name, set(10..<50)).encoded, to: gateway(2))))
    }

    @Test("is granted to the newest question alone, however slow the disk")
    func askedAnew() {
        var rig = Rig(peers: 2)
        let name = log(of: 1)
        rig.send(.held(name, offsets(0..<50)))
        for round in 1...40 {
            let ask = ReplicationFrame.holdRequest(HoldID(UInt64(round)), name, set(0..<50)).encoded
            #expect(rig.send(.frame(ask, from: gateway(2))).count == 1)
        }
        #expect(rig.send(.holdKept(HoldID(1))).isEmpty)
        #expect(rig.send(.holdKept(HoldID(40))).frames.count == 1)
    }

    @Test("counts for nothing once the granter has lost what it promised")
    func lostSince() {
        var rig = Rig(peers: 9)
        let (name, targets) = surplusLog(rig)
        rig.send(.held(name, offsets(0..<100)))
        for target in targets { rig.send(.claim(of: target, name, claim(0..<100))) }
        let requests = holdRequests(rig.pass(.seconds(10)))
        var all: [ReplicationDirective] = []
        for request in requests {
            let granted = ReplicationFrame.holdGranted(request.id, name, set(0..<100))
            all += rig.send(.frame(granted.encoded, from: request.peer))
            if request.peer == targets[0] { rig.send(.claim(of: targets[0], name, claim(0..<30, end: 100))) }
        }
        #expect(released(all) == [set(0..<30)])
    }

    @Test("is refused by who should not hold the log, or holds nothing of it")
    func refused() {
        var rig = Rig(peers: 9)
        let (name, _) = surplusLog(rig)
        rig.send(.held(name, offsets(0..<50)))
        let ask = ReplicationFrame.holdRequest(HoldID(7), name, set(0..<100)).encoded
        #expect(rig.send(.frame(ask, from: gateway(2))).isEmpty)
        let nothing = ReplicationFrame.holdRequest(HoldID(8), log(of: 0), set(0..<100)).encoded
        #expect(rig.send(.frame(nothing, from: gateway(2))).isEmpty)
    }
}
