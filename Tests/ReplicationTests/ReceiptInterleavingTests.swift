import Environment
import Model
import Testing

@testable import Replication

/// Two uploaders, one holder, everything that can happen to their receipts in every order.
///
/// Uploader P brought chunks 0 and 1 in two claims, uploader Q chunk 1, and says things about it that are not so: its first claim has a
/// receipt for other readings. Claims may come late, twice, and older ones after newer ones.
private struct Scene {
    enum Act: CaseIterable { case holdHalf, holdAll, oldClaim, newClaim, lie, truth, answer, restart }

    let cast = Cast()
    var driver: RosterDriver
    /// What the disk of the holder has; a restart loses nothing of it.
    var held = OffsetRanges()
    var settled = OffsetRanges()
    /// Chunks whose true receipt was heard, ever.
    var proofs: Set<UInt64> = []

    static let end: UInt64 = 16

    init() {
        driver = RosterDriver(cast.second)
        begin()
    }

    private mutating func begin() {
        var fresh = RosterDriver(cast.second)
        fresh.members([cast.origin, cast.first])
        fresh.sinks([cast.origin, cast.first, cast.second])
        driver = fresh
    }

    mutating func perform(_ act: Act) {
        switch act {
        case .holdHalf: hold(OffsetRanges([span(0, 8), span(10, 12)]))
        case .holdAll: hold(holding(0, Self.end))
        case .oldClaim: hear(cast.origin, claim(8, turn: 1, [receipt(0, 8)]), proofs: [0])
        case .newClaim: hear(cast.origin, claim(16, turn: 2, [receipt(0, 8), receipt(8, 16)]), proofs: [0, 1])
        case .lie: hear(cast.first, claim(16, turn: 1, [receipt(8, 16, salt: 5)]), proofs: [])
        case .truth: hear(cast.first, claim(16, turn: 2, [receipt(8, 16)]), proofs: [1])
        case .answer: answer()
        case .restart: restart()
        }
        check()
    }

    private mutating func hold(_ ranges: OffsetRanges) {
        held.formUnion(ranges)
        driver.step(.holds(cast.log, held))
    }

    private mutating func hear(_ node: NodeID, _ claim: UploadClaim, proofs new: Set<UInt64>) {
        proofs.formUnion(new)
        driver.step(.uploads(of: node, cast.key, claim))
    }

    private mutating func answer() {
        guard let (log, range) = driver.asked.first else { return }
        driver.asked.removeFirst()
        driver.step(.digested(log, range, held.contains(range) ? digest(range) : nil))
    }

    /// The machine's progress is stored, gossip is heard anew.
    private mutating func restart() {
        begin()
        driver.step(.settled(sinkS, cast.log, settled, isUploaded: true))
        driver.step(.holds(cast.log, held))
    }

    private mutating func check() {
        for case .settle(let sink, let log, let range, _) in driver.heard() {
            #expect(sink == sinkS && log == cast.log && held.contains(range))
            #expect(proofs.contains(range.lowerBound.rawValue / 8), "settled \(range) without a proof")
            settled.insert(range)
        }
        #expect(driver.roster.proved(sinkS, cast.log) == settled, "what is proved is told")
        #expect(driver.roster.releasable(cast.log) == settled.prefixEnd)
    }

    /// All is held, gossip has settled, every read is answered.
    mutating func end() {
        for act in [Act.newClaim, .truth, .holdAll] + Array(repeating: .answer, count: 8) { perform(act) }
        #expect(settled == holding(0, Self.end))
    }
}

@Suite struct ReceiptInterleavingTests {
    @Test func inEveryOrderOnlyTheProvedIsSettledAndAllOfItAtTheEnd() {
        var scenes = 0
        // All orders of up to five acts with repetition, from where the driver stood before: a tree, so that prefixes are shared.
        func go(_ scene: Scene, depth: Int) {
            scenes += 1
            var last = scene
            last.end()
            guard depth > 0 else { return }
            for act in Scene.Act.allCases {
                var next = scene
                next.perform(act)
                go(next, depth: depth - 1)
            }
        }
        go(Scene(), depth: 4)
        #expect(scenes == (0...4).reduce(0) { sum, depth in sum + (0..<depth).reduce(1) { power, _ in power * 8 } })
    }
}
