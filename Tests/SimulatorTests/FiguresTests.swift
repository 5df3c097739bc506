import Testing

@testable import Simulator

@Suite("Figures")
struct FiguresTests {
    private func measure() -> FigureRow {
        var plan = FigurePlan(gateways: 3)
        (plan.idleSeconds, plan.lossSeconds, plan.kills, plan.handOffs) = (30, 60, 1, 1)
        (plan.sourceSeconds, plan.backlogChunks) = (10, 120)
        return Figures.measure(gateways: 3, plan: plan) { _ in }
    }

    @Test("Three gateways keep to the aims, and measured again they are the same to the nanosecond")
    func aims() {
        let row = measure()
        #expect(row.joined != nil && row.settled != nil)
        #expect(row.idle.bytesPerSecond > 0 && row.idle.bytesPerSecond <= 1000)
        #expect(row.loss.deaths == 0)
        #expect(row.detection.allKnow.count == 1 && (row.detection.allKnow.worst ?? .max) < 2 * row.detection.floor)
        #expect(row.copiesInSecond.count > 0 && (row.copiesInSecond.worst ?? .max) <= 2_000_000_000)
        #expect(row.handOffs.takeover.count == 1 && (row.handOffs.takeover.worst ?? .max) <= 5_000_000_000)
        #expect((row.handOffs.doublesAtDeath + row.handOffs.doublesAtReturn).allSatisfy { $0 <= row.handOffs.bound })
        #expect(row.handOffs.missing == 0)
        let again = measure()
        #expect(again.events == row.events && again.detection.allKnow.all == row.detection.allKnow.all)
        #expect(again.copiesAtOnce.all == row.copiesAtOnce.all)
    }

    @Test("The floor of detection is the wait for a probe, the probe, and the suspicion")
    func floor() {
        // (2 · (1 - 2^(-1/2)) + 1 + 8) s, and with ten (9 · (1 - 2^(-1/9)) + 1 + 4) s.
        #expect(abs(Figures.floor(gateways: 3) - 9_585_786_438) < 2_000_000)
        #expect(abs(Figures.floor(gateways: 10) - 5_667_217_000) < 2_000_000)
        #expect(Figures.floor(gateways: 1000) / 100_000_000 == 136)
    }
}
