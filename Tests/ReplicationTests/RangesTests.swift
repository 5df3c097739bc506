import Environment
import Model
import Testing

@testable import Replication

@Suite("Sets of offsets")
struct RangesTests {
    /// A set both ways.
    private struct Pair {
        var ranges = OffsetRanges()
        var plain: Set<UInt64> = []

        mutating func change(_ random: inout SeededRandom) {
            let low = Int.random(in: 0..<60, using: &random)
            let range = low..<low + Int.random(in: 0...12, using: &random)
            if Int.random(in: 0..<3, using: &random) > 0 {
                ranges.insert(offsets(range))
                plain.formUnion(range.map(UInt64.init))
            } else {
                ranges.remove(offsets(range))
                plain.subtract(range.map(UInt64.init))
            }
        }
    }

    private func plain(_ ranges: OffsetRanges) -> Set<UInt64> {
        Set(ranges.ranges.flatMap { $0.lowerBound.rawValue..<$0.upperBound.rawValue })
    }

    private func isNormal(_ ranges: OffsetRanges) -> Bool {
        ranges.ranges.allSatisfy { !$0.isEmpty }
            && zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }
    }

    @Test("agree with plain sets after any sequence of changes")
    func agreesWithModel() {
        var random = SeededRandom(seed: 11)
        var (one, two) = (Pair(), Pair())
        for _ in 0..<4000 {
            one.change(&random)
            two.change(&random)
            for pair in [one, two] {
                #expect(plain(pair.ranges) == pair.plain)
                #expect(isNormal(pair.ranges))
                #expect(pair.ranges.readings == UInt64(pair.plain.count))
            }
            #expect(plain(one.ranges.union(two.ranges)) == one.plain.union(two.plain))
            #expect(plain(one.ranges.subtracting(two.ranges)) == one.plain.subtracting(two.plain))
            #expect(plain(one.ranges.intersection(two.ranges)) == one.plain.intersection(two.plain))
            #expect(isNormal(one.ranges.intersection(two.ranges)))
            #expect(one.ranges.contains(two.ranges) == one.plain.isSuperset(of: two.plain))
            #expect(OffsetRanges(one.ranges.ranges.shuffled(using: &random)) == one.ranges)
            let offset = UInt64.random(in: 0..<80, using: &random)
            #expect(one.ranges.contains(Offset(offset)) == one.plain.contains(offset))
            let end = (offset...200).first { !one.plain.contains($0) }
            #expect(one.ranges.end(of: Offset(offset)).rawValue == end)
        }
    }

    @Test("touch and become one")
    func touch() {
        var ranges = set(0..<5, 10..<15)
        ranges.insert(offsets(5..<10))
        #expect(ranges == set(0..<15))
        ranges.insert(offsets(15..<16))
        #expect(ranges.ranges.count == 1)
        #expect(ranges.prefixEnd == Offset(16))
        #expect(set(1..<2).prefixEnd == .zero)
    }

    @Test("are cut to a subset that keeps the prefix, the tail and the longest between")
    func bounded() {
        let ranges = set(0..<1, 10..<19, 20..<22, 30..<38, 40..<41)
        #expect(ranges.bounded(to: 4) == set(0..<1, 10..<19, 30..<38, 40..<41))
        #expect(ranges.bounded(to: 2) == set(0..<1, 40..<41))
        #expect(ranges.bounded(to: 5) == ranges)
    }

    @Test("are covered piece by piece as plain counting says")
    func coverageAgreesWithModel() {
        var random = SeededRandom(seed: 12)
        for _ in 0..<500 {
            var pairs = (0..<4).map { _ in Pair() }
            for index in pairs.indices {
                for _ in 0..<Int.random(in: 0...8, using: &random) { pairs[index].change(&random) }
            }
            let pieces = coverage(of: pairs[0].ranges, by: pairs.dropFirst().map(\.ranges))
            #expect(OffsetRanges(pieces.map(\.range)) == pairs[0].ranges)
            #expect(pieces.reduce(0) { $0 + $1.range.length } == pairs[0].ranges.readings)
            for piece in pieces {
                for offset in piece.range.lowerBound.rawValue..<piece.range.upperBound.rawValue {
                    #expect(pairs.dropFirst().count { $0.plain.contains(offset) } == piece.holders)
                }
            }
        }
    }
}
