import Environment
import LogFormat
import Model
import RingLog
import Sinks
import Simulator
import Testing

@testable import GatewayCore

@Suite("Days of one gateway")
struct ScenarioTests {
    @Test("A stop comes to an end, with everything on the disk, counters too")
    func stops() throws {
        let bench = try Bench()
        bench.submit(bench.readings(5), ticket: 1)
        bench.step(.submitted(Submission(entries: [Entry(bench.readings(3))], window: .seconds(60))))
        bench.step(.stopping)
        #expect(bench.core.isQuiet)
        try bench.restart(on: bench.disk.afterPowerCut { _ in false })
        #expect(bench.core.ledger[DeviceID("d")].stored == 8)
    }

    @Test("An idle gateway comes to rest: after the last readings three commits at most, and no wake but to scrub")
    func rests() throws {
        var settings = GatewayCore.Settings()
        settings.scrubInterval = .zero
        let bench = try Bench(sinks: [], settings: settings)
        bench.submit(bench.readings(5), ticket: 1)
        bench.advance(by: .seconds(60))
        let syncs = bench.disk.counts.syncs
        bench.advance(by: .seconds(3600))
        #expect(bench.disk.counts.syncs == syncs)
        #expect(bench.wake == nil)
    }

    @Test("A ticket without readings is settled, on a blank ring and on a used one")
    func emptyTickets() throws {
        let bench = try Bench()
        bench.submit([], ticket: 1)
        bench.submit(bench.readings(1), ticket: 2)
        bench.submit([], ticket: 3)
        bench.advance(by: .seconds(20))
        bench.submit([], ticket: 4)
        #expect(bench.settled.map(\.rawValue) == [1, 2, 3, 4])
    }

    @Test("A disk that fails for a while is tried again, though nothing else happens")
    func diskComesBack() throws {
        let bench = try Bench(sinks: [])
        bench.disk.refuse(.failed)
        bench.submit(bench.readings(4), ticket: 1)
        bench.advance(by: .seconds(30))
        #expect(bench.settled.isEmpty)
        #expect(bench.core.isMemoryOnly)
        bench.disk.refuse(nil)
        bench.advance(by: .seconds(61))
        #expect(bench.settled == [Ticket(1)])
        #expect(!bench.core.isMemoryOnly)
    }

    @Test("Readings that are told as stored are the ones on the disk, to the microsecond")
    func toldAsStored() throws {
        let bench = try Bench()
        for jitter in [0, 300, 700, -200] as [Int64] {
            let stamp = Stamp(
                boot: bench.boot, uptime: Microseconds(5), wallOffset: Microseconds(1_763_700_000_000_000 + jitter),
                isTrusted: true)
            bench.submit([
                Reading(series: Series(device: DeviceID("d"), metric: "t"), stamp: stamp, value: .number(1))
            ])
        }
        bench.advance(by: .seconds(1))
        #expect(bench.stored == bench.held())
        #expect(bench.stored.count == 4)
    }
}

@Suite("Without a disk")
struct MemoryOnlyTests {
    @Test("Readings go to the sinks from RAM, and a ticket waits for every required sink")
    func ticketsWaitForReceipts() throws {
        let bench = try Bench(sinks: ["one", "two"])
        bench.disk.refuse(.readOnly)
        bench.submit(bench.readings(20), ticket: 1)
        bench.advance(by: .seconds(3))
        #expect(bench.core.isMemoryOnly)
        let toTwo = bench.sends.filter { $0.sink == 1 }
        bench.sends.removeAll { $0.sink == 1 }
        #expect(bench.deliver().count == 20)
        #expect(bench.settled.isEmpty)
        bench.sends = toTwo
        #expect(bench.deliver().count == 20)
        #expect(bench.settled == [Ticket(1)])
        #expect(bench.core.isQuiet || bench.core.pending.isEmpty)
        #expect(bench.core.ledger.isBalanced)
        #expect(bench.core.sinks.allSatisfy { $0.machine.counts.uploaded == 20 && $0.machine.counts.isBalanced })
    }

    @Test(
        "When the disk is back, what no sink had is stored, what they had is a gap that is no loss, and no key is used twice"
    )
    func backToNormal() throws {
        let bench = try Bench()
        bench.submit(bench.readings(8), ticket: 1)
        bench.disk.refuse(.full)
        for ticket in 2...30 as ClosedRange<UInt64> {
            bench.submit(bench.readings(8), ticket: ticket)
            bench.advance(by: .seconds(20))
            if ticket <= 20 { bench.deliver() }
        }
        #expect(bench.settled.count == 20)
        bench.disk.refuse(nil)
        bench.advance(by: .seconds(120))
        bench.deliver()
        bench.advance(by: .seconds(20))
        bench.deliver()
        #expect(bench.settled.count == 30)
        bench.step(.stopping)
        #expect(bench.core.isQuiet)
        try bench.restart(on: bench.disk.afterPowerCut { _ in false })
        let counts = bench.core.sinks[0].machine.counts
        #expect(counts.uploaded == 240)
        #expect(counts.stored == 240)
        #expect(bench.core.ledger[DeviceID("d")].stored == 240)
        let gaps = bench.core.ring.logs.flatMap { bench.core.ring.gaps(of: $0.log) }
        #expect(gaps.map(\.reason) == [.uploaded])
        #expect(
            bench.held().count + (gaps.first.map { $0.range.lowerBound.distance(to: $0.range.upperBound) } ?? 0) == 240)
    }

    @Test("A redelivery is known after its readings have left RAM")
    func redeliveries() throws {
        let bench = try Bench()
        bench.disk.refuse(.readOnly)
        let mark = bench.core.mark(broker: "b", message: 3, hash: 99)
        bench.submit(bench.readings(2), ticket: 1, mark: mark)
        bench.advance(by: .seconds(3))
        bench.deliver()
        #expect(bench.settled == [Ticket(1)])
        #expect(bench.core.holds(broker: "b", message: 3, hash: 99))
    }

    @Test("A full RAM stops the sources, and receipts let them go on")
    func backPressure() throws {
        let bench = try Bench()
        bench.disk.refuse(.readOnly)
        var sent: UInt64 = 0
        while !bench.core.isFull, sent < 1000 {
            sent += 1
            bench.submit(bench.readings(100), ticket: sent)
        }
        #expect(bench.core.isFull)
        bench.advance(by: .seconds(3))
        while bench.deliver().count > 0 { bench.advance(by: .seconds(3)) }
        #expect(bench.settled.count == Int(sent))
        #expect(!bench.core.isFull)
    }
}

@Suite("Waiting for the clock")
struct ClockWaitTests {
    @Test("Readings that nobody can date wait for the clock, and go undated when its time is up")
    func timeIsUp() throws {
        let bench = try Bench()
        bench.submit(bench.readings(16), ticket: 1)
        bench.submit(bench.readings(16, trusted: false), ticket: 2)
        bench.advance(by: .seconds(29))
        #expect(bench.deliver().count == 16)
        bench.advance(by: .seconds(3))
        #expect(bench.deliver().count == 16)
    }

    @Test("An anchor lets them go at once, with the right time, and no later one of that run of the kernel waits")
    func anchorComes() throws {
        let bench = try Bench()
        bench.submit(bench.readings(16, trusted: false), ticket: 1)
        bench.advance(by: .seconds(5))
        #expect(bench.sends.isEmpty)
        bench.step(.clockTrusted(ClockAnchor(boot: bench.boot, wallOffset: Microseconds(1_000_000))))
        let got = bench.deliver()
        #expect(got.count == 16)
        #expect(got.allSatisfy { bench.core.ring.time(of: $0.reading.stamp).isTrusted })
        bench.submit(bench.readings(16, trusted: false), ticket: 2)
        #expect(bench.deliver().count == 16)
    }

    @Test(
        "After a restart the log before waits as well, and the anchor lets it go; another run of the kernel has nothing to wait for"
    )
    func oldLogs() throws {
        let bench = try Bench()
        bench.submit(bench.readings(16, trusted: false), ticket: 1)
        bench.advance(by: .seconds(2))
        let image = bench.disk.afterKill()
        try bench.restart(on: image.afterKill())
        #expect(bench.sends.isEmpty)
        bench.step(.clockTrusted(ClockAnchor(boot: bench.boot, wallOffset: Microseconds(1_000_000))))
        #expect(bench.deliver().count == 16)
        try bench.restart(on: image.afterKill())
        bench.advance(by: .seconds(31))
        #expect(bench.deliver().count == 16)
        bench.boot = BootID(high: 0, low: 2)
        try bench.restart(on: image.afterKill())
        #expect(bench.deliver().count == 16)
    }
}
