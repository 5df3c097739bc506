import Environment
import Model
import Testing

@testable import Replication

@Suite struct DutyWorldTests {
    /// A minute of faults, then peace: at once one uploader per log, in the end everything at every sink, known to all, and silence.
    private func history(_ seed: UInt64, partitions: Bool) -> DutyWorld {
        var world = DutyWorld(seed: seed, nodes: 2 + Int(seed % 3))
        for _ in 0..<1200 {
            world.hurt(partitions: partitions)
            world.advance(isReading: true)
        }
        world.heal()
        for turn in 0..<800 {
            world.advance(isReading: true)
            if turn > 600, let key = world.contested.first { world.fail("two uploaders of \(key)") }
        }
        for _ in 0..<2000 { world.advance(isReading: false) }
        let claims = world.claims
        for _ in 0..<400 { world.advance(isReading: false) }
        if world.claims != claims { world.fail("\(world.claims - claims) claims with nothing to do") }
        for log in world.logs.values.sorted() {
            for sink in world.sinks.indices {
                let missing = world.missing(sink, log)
                if !missing.isEmpty { world.fail("\(missing) of \(log) is not at sink \(sink)") }
            }
        }
        return world
    }

    @Test(arguments: [4, 7, 9, 22, 33] as [UInt64])
    func withoutPartitionsAHandOffRepeatsFourChunksAtMost(_ seed: UInt64) {
        let world = history(seed, partitions: false)
        #expect(world.failures.isEmpty, "seed \(seed)")
        for log in world.logs.values.sorted() {
            for sink in world.sinks {
                let key = UploadKey(sink: sink, log: log)
                let bound = 4 * DutyWorld.chunk * (world.handOffs[key] ?? 0)
                #expect(world.doubles(key) <= bound, "seed \(seed), \(key.log)")
            }
        }
    }

    @Test(arguments: [20, 23, 104, 115] as [UInt64])
    func afterPartitionsEverythingArrivesByOneUploaderPerLog(_ seed: UInt64) {
        let world = history(seed, partitions: true)
        #expect(world.failures.isEmpty, "seed \(seed)")
    }

    @Test func oneSeedGivesOneHistory() {
        func trace(_ seed: UInt64) -> [UInt64] {
            var world = DutyWorld(seed: seed, nodes: 3)
            for _ in 0..<600 {
                world.hurt(partitions: true)
                world.advance(isReading: true)
            }
            return [UInt64(world.claims), world.random.next()]
        }
        #expect(trace(3) == trace(3))
    }
}
