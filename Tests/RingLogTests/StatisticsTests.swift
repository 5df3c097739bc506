import Model
import RingLog
import Testing

struct StatisticsTests {
    @Test
    func `statistics count commits, blocks, readings and segments`() throws {
        let rig = try Rig(segments: 12)
        let before = rig.ring.statistics
        for second in 1...3 {
            rig.uptime = Int64(second) * 1_000_000
            try rig.append((0..<10).map { reading("d\($0)", .number(Double(second)), at: rig.uptime) })
            rig.commitAll()
        }
        let after = rig.ring.statistics
        #expect(after.commits - before.commits >= 3 && after.failedCommits == 0)
        #expect(after.blocks == 3 && after.readingsHeld == 30 && after.readingsStored == 30)
        #expect(after.oldest == Milliseconds(wallBase / 1000 + 1000))
        let segments = [
            after.freeSegments, after.hotSegments, after.coldSegments, after.retiredSegments, after.setAsideSegments,
        ]
        #expect(segments.reduce(0, +) == 12 && after.hotSegments == 1)
    }
}
