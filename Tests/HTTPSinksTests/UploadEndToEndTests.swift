import Environment
import HTTPSinks
import Model
import Sinks
import TestKit
import Testing

/// The machine, the real sink and the real receiver together.
@Suite struct UploadEndToEndTests {
    /// Performs the machine's directives; the machine's clock is moved by hand to the next wake.
    private func upload(_ readings: UInt64, poison: Set<UInt64>, to sink: HTTPSink) async -> UploadMachine {
        var machine = UploadMachine()
        var random = SeededRandom(seed: 1)
        var now = MonotonicInstant(nanoseconds: 0)
        var wake: MonotonicInstant?
        var waiting = machine.step(
            .opened(testLog, end: Offset(readings), ready: Offset(readings), isCurrent: false), now: now, using: &random
        )
        waiting += machine.step(.closed(testLog), now: now, using: &random)
        await withTaskGroup(of: (SendID, SendOutcome).self) { group in
            var underWay = 0
            while true {
                for directive in waiting {
                    switch directive {
                    case .send(let request):
                        underWay += 1
                        let base = request.range.lowerBound
                        let count = base.distance(to: request.range.upperBound)
                        let made = batch(count, base: base.rawValue, poison: poison)
                        group.addTask { (request.id, await sink.send(made)) }
                    case .wake(let at): wake = at
                    default: break
                    }
                }
                if underWay > 0, let (id, outcome) = await group.next() {
                    underWay -= 1
                    waiting = machine.step(.sendFinished(id, outcome), now: now, using: &random)
                } else if let next = wake {
                    wake = nil
                    now = max(now, next)
                    waiting = machine.step(.tick, now: now, using: &random)
                } else {
                    return
                }
            }
        }
        return machine
    }

    @Test func aLogWithBadReadingsArrivesButForThose() async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .poison(status: 422, device: "poison")
            let poison: Set<UInt64> = [3, 700, 701, 2500]
            let machine = await upload(3000, poison: poison, to: try sink(port, transport))
            let counts = machine.counts(testLog)
            #expect(counts.refused == 4 && counts.uploaded == 2996 && counts.pending == 0)
            let offsets = receiver.readings().map(\.offset)
            #expect(Set(offsets) == Set(0..<3000).subtracting(poison))
            #expect(receiver.snapshot().faults.isEmpty)
        }
    }

    @Test func aReceiverThatResetsAfterEachCommitGetsEachReadingOnceInTheEnd() async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .resetAfterCommit
            let sink = try sink(port, transport)
            let mender = Task {
                await receiver.waitForRequests(6)
                receiver.mode = .accept
            }
            let machine = await upload(2000, poison: [], to: sink)
            await mender.value
            #expect(machine.counts(testLog).uploaded == 2000)
            #expect(receiver.snapshot().readings == 2000 && receiver.snapshot().faults.isEmpty)
        }
    }
}
