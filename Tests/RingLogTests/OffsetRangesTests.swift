import Environment
import Testing

@testable import RingLog

struct OffsetRangesTests {
    @Test
    func `ranges hold the offsets that a plain set holds, merged and in order`() {
        var random = SeededRandom(seed: 21)
        for _ in 0..<40 {
            var ranges = OffsetRanges()
            var plain: Set<UInt64> = []
            for _ in 0..<60 {
                let lower = random.next() % 60
                let upper = lower + random.next() % 9
                if random.next() % 3 == 0 {
                    ranges.remove(lower, upper)
                    plain.subtract(lower..<upper)
                } else {
                    ranges.insert(lower, upper)
                    plain.formUnion(lower..<upper)
                }
                #expect(ranges.all.flatMap { Array($0) } == plain.sorted())
                #expect(ranges.count == plain.count)
                #expect(zip(ranges.all, ranges.all.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
                let asked = random.next() % 60..<70
                let missing = ranges.missing(in: asked).flatMap { Array($0) }
                #expect(missing == asked.filter { !plain.contains($0) })
            }
        }
    }
}
