import Environment
import Model
import Replication
import Testing

@Suite("Serving copies")
struct ServingTests {
    private let mine = log(of: 0)

    private func read(_ directives: [ReplicationDirective]) -> [ReadID] {
        directives.compactMap { if case .read(let id, _, _, _) = $0 { id } else { nil } }
    }

    private func request(_ rig: inout Rig, _ id: UInt64, _ range: Range<Int>, from peer: Int = 1)
        -> [ReplicationDirective]
    {
        let frame = ReplicationFrame.request(FetchID(id), mine, offsets(range))
        return rig.send(.frame(frame.encoded, from: gateway(peer)))
    }

    @Test("reads what is asked for and answers with it")
    func serves() {
        var rig = Rig(peers: 2)
        rig.send(.opened(mine))
        rig.send(.held(mine, offsets(0..<100)))
        let directives = request(&rig, 5, 10..<500)
        let id = read(directives)[0]
        #expect(directives == [.read(id, mine, offsets(10..<100), limit: 65_536)])
        let outcome = ChunkOutcome.chunk(covered: offsets(10..<100), missing: set(20..<30), bytes: [7])
        let answer = ReplicationFrame.answer(
            FetchID(5), covered: offsets(10..<100), missing: set(20..<30), bytes: [7])
        #expect(rig.send(.chunkRead(id, outcome)) == [.frame(answer.encoded, to: gateway(1))])
        #expect(rig.replicator.counts.servedChunks == 1)
        #expect(rig.send(.chunkRead(id, outcome)).isEmpty)
    }

    @Test("says at once what it lacks")
    func lacks() {
        var rig = Rig(peers: 2)
        let answer = ReplicationFrame.answer(
            FetchID(5), covered: offsets(0..<9), missing: set(0..<9), bytes: [])
        #expect(request(&rig, 5, 0..<9) == [.frame(answer.encoded, to: gateway(1))])
    }

    @Test("speaks of no more missing ranges than fit, and of nothing beyond them")
    func manyMissing() throws {
        var rig = Rig(peers: 2)
        rig.send(.held(mine, offsets(0..<1000)))
        let id = read(request(&rig, 5, 0..<1000))[0]
        let missing = OffsetRanges((0..<30).map { offsets($0 * 10..<$0 * 10 + 1) })
        let outcome = ChunkOutcome.chunk(covered: offsets(0..<1000), missing: missing, bytes: [7])
        guard case .answer(_, let covered, let told, _) = rig.send(.chunkRead(id, outcome)).frames[0].frame else {
            Issue.record("no answer")
            return
        }
        #expect(covered == offsets(0..<160))
        #expect(told == missing.intersection(covered))
    }

    @Test("turns requests away beyond a few of each peer and of all, and does none twice")
    func bounded() {
        var rig = Rig(peers: 9)
        rig.send(.held(mine, offsets(0..<100)))
        var reads = 0
        for id in 0..<6 { reads += read(request(&rig, UInt64(id), 0..<10)).count }
        #expect(reads == 4)
        #expect(request(&rig, 0, 0..<10).isEmpty)
        for peer in 2...9 { for id in 0..<4 { reads += read(request(&rig, UInt64(id), 0..<10, from: peer)).count } }
        #expect(reads == 16)
        #expect(rig.replicator.counts.turnedAway == 2 + 20)
        let busy = ReplicationFrame.busy(FetchID(9)).encoded
        #expect(request(&rig, 9, 0..<10) == [.frame(busy, to: gateway(1))])
        #expect(rig.send(.chunkRead(ReadID(1), .failed)).count == 1)
        #expect(read(request(&rig, 9, 0..<10)).count == 1)
    }
}
