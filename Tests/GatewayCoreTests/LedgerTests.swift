import Environment
import GatewayCore
import Model
import Testing

@Suite("The loss ledger")
struct LedgerTests {
    @Test("The first equation holds after every step of a random history", arguments: 1...20)
    func balances(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var ledger = Ledger()
        for _ in 0..<500 {
            let device = DeviceID("d\(Int.random(in: 0..<5, using: &random))")
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                ledger.accept(Int.random(in: 0..<10, using: &random), from: device)
            case 1:
                ledger.store(Int.random(in: 0...Int(ledger.waiting(device)), using: &random), from: device)
            default:
                var counts = StreamCounts()
                counts.received = 3
                counts.duplicate = 1
                counts.rejected.add(1, for: "empty")
                counts.dropped.add(1, for: "quota")
                ledger.count(counts, for: device)
            }
            #expect(ledger.isBalanced)
        }
        let total = ledger.total
        #expect(total.received == ledger.totalWaiting + total.settled)
    }

    @Test("Counts by reason come in the reasons' order, however they arrived")
    func reasonsAreOrdered() {
        var counts = ReasonCounts()
        counts.add(1, for: "quota")
        counts.add(2, for: "empty")
        counts.add(3, for: "quota")
        #expect(counts.entries.map(\.reason) == ["empty", "quota"])
        #expect(counts["quota"] == 4)
        #expect(counts.total == 6)
    }
}
