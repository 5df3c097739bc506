import Environment
import LogFormat
import Model
import RingLog
import Sinks
import Simulator
import Testing

@testable import GatewayCore

@Suite("What each sink made of each stream")
struct AccountTests {
    private func counts(_ readings: [StoredReading]) -> [DeviceID: UInt64] {
        var seen: Set<Key> = []
        return readings.filter { seen.insert(Key($0)).inserted }
            .reduce(into: [:]) { $0[$1.reading.series.device, default: 0] += 1 }
    }

    private func rows(_ bench: Bench) throws -> [DeviceID: UploadCounts] {
        #expect(bench.core.isBalanced, "\(bench.core.imbalance(at: 0) ?? "")")
        let rows = try #require(bench.core.streams(at: 0))
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.device, $0.counts) })
    }

    /// Uploads until nothing is pending.
    private func drain(_ bench: Bench) -> [StoredReading] {
        var got: [StoredReading] = []
        for _ in 0..<200 where bench.core.sinks[0].machine.counts.pending > 0 {
            got += bench.deliver()
            bench.advance(by: .seconds(2))
        }
        return got
    }

    @Test("A chunk of two devices that is split over one bad reading counts each reading for its own device")
    func refusals() throws {
        let bench = try Bench()
        bench.submit(bench.readings(8, of: "a") + bench.readings(8, of: "b"))
        for _ in 0..<60 {
            while let (sink, request, source) = bench.sends.first {
                bench.sends.removeFirst()
                let readings = source.perform(on: bench.disk).readings
                let isBad = readings.contains { $0.offset == Offset(11) }
                bench.step(
                    .sent(sink: sink, request.id, isBad ? .refused(reason: "422") : .accepted, SendDevices(readings)))
            }
            bench.advance(by: .seconds(2))
        }
        let rows = try rows(bench)
        #expect(rows[DeviceID("a")]?.uploaded == 8)
        #expect(rows[DeviceID("b")]?.uploaded == 7)
        #expect(rows[DeviceID("b")]?.refused == 1)
        #expect(bench.core.sinks[0].account.unattributed == UploadCounts())
    }

    @Test("Refused readings that a start finds without their names are counted for no other's stream")
    func namelessRefusals() throws {
        var settings = GatewayCore.Settings()
        settings.accountWindow = .seconds(86_400)
        let bench = try Bench(settings: settings)
        for _ in 0..<40 { bench.submit(bench.readings(8, of: "a") + bench.readings(8, of: "b")) }
        for _ in 0..<2000 where bench.core.sinks[0].machine.counts.pending > 0 {
            while let (sink, request, source) = bench.sends.first {
                bench.sends.removeFirst()
                let readings = source.perform(on: bench.disk).readings
                let isBad = readings.contains { $0.offset.rawValue % 16 == 11 && $0.offset < Offset(632) }
                bench.step(
                    .sent(sink: sink, request.id, isBad ? .refused(reason: "422") : .accepted, SendDevices(readings)))
            }
            bench.advance(by: .seconds(2))
        }
        bench.advance(by: .seconds(10))
        try bench.restart(on: bench.disk.afterKill())
        let account = bench.core.sinks[0].account
        #expect(account.total.refused == 39)
        #expect(account.unattributed.refused == 39 - 16)
        #expect(account.streams[DeviceID("a")]?.refused == 0)
        #expect(account.streams[DeviceID("b")]?.refused == 16)
        #expect(try #require(account.streams[DeviceID("a")]).uploaded <= 320)
        #expect(try #require(account.streams[DeviceID("b")]).uploaded <= 281)
        #expect(bench.core.isBalanced)
    }

    @Test("Power cuts between the blocks that carry accounts and progress cost no stream a count", arguments: 1...6)
    func powerCuts(seed: UInt64) throws {
        var settings = GatewayCore.Settings()
        settings.accountReadings = 40
        settings.accountWindow = .seconds(Int(seed) * 5)
        // Blocks too small for all records of a checkpoint, and room enough that nothing is evicted.
        let bench = try Bench(
            segments: 16, settings: settings, geometry: Geometry(segmentBytes: 1 << 20, blockBytes: 16 << 10))
        bench.random = SeededRandom(seed: seed)
        let padding = String(repeating: "x", count: 90)
        let devices = (0..<100).map { "\($0)-\(padding)" }
        var delivered: [StoredReading] = []
        for turn in 0..<12 {
            for _ in 0..<Int.random(in: 1...6, using: &bench.random) {
                let speaking = devices.filter { _ in Int.random(in: 0..<2, using: &bench.random) == 0 }
                bench.submit(speaking.flatMap { bench.readings(1, of: $0) })
                bench.advance(by: .milliseconds(Int.random(in: 0...3000, using: &bench.random)))
                if Bool.random(using: &bench.random) { delivered += bench.deliver() }
            }
            bench.holdsWrites = true
            bench.submit(bench.readings(3, of: devices[0]))
            delivered += bench.deliver()
            bench.advance(by: .seconds(6))
            for _ in 0..<Int.random(in: 0..<4, using: &bench.random) { bench.write() }
            bench.holdsWrites = false
            try bench.restart(on: bench.disk.afterPowerCut { _ in false })
            #expect(bench.core.sinks[0].account.unattributed == UploadCounts(), "turn \(turn)")
            let there = counts(delivered)
            for (device, row) in try rows(bench) where row.uploaded > there[device] ?? 0 {
                Issue.record("turn \(turn): \(device) has \(row.uploaded) uploaded, the sink \(there[device] ?? 0)")
                return
            }
        }
        _ = drain(bench)
        for (device, row) in try rows(bench) {
            #expect(row.uploaded == bench.core.ledger[device].stored)
        }
    }

    @Test(
        "In a ring so small that a start finds little of what came between, both equations hold all the same",
        arguments: 1...4)
    func tinyRing(seed: UInt64) throws {
        var settings = GatewayCore.Settings()
        settings.accountReadings = 40
        let bench = try Bench(segments: 12, settings: settings)
        bench.random = SeededRandom(seed: seed)
        let padding = String(repeating: "x", count: 90)
        for turn in 0..<12 {
            for device in 0..<100 where Int.random(in: 0..<2, using: &bench.random) == 0 {
                bench.submit(bench.readings(1, of: "\(device)-\(padding)"))
                if device.isMultiple(of: 20) { bench.deliver() }
            }
            bench.holdsWrites = true
            bench.advance(by: .seconds(6))
            for _ in 0..<Int.random(in: 0..<4, using: &bench.random) { bench.write() }
            bench.holdsWrites = false
            try bench.restart(on: bench.disk.afterPowerCut { _ in false })
            let stored = try rows(bench).values.reduce(0) { $0 + $1.stored }
            #expect(stored == bench.core.ledger.total.stored, "turn \(turn)")
        }
        _ = drain(bench)
        #expect(try rows(bench).values.allSatisfy { $0.pending == 0 })
    }

    @Test("Readings that a full ring gives up while a sink is away are counted for their own streams, at once")
    func evictions() throws {
        let bench = try Bench(segments: 8)
        for turn in 0..<240 {
            for device in ["a", "b", "c"] { bench.submit(bench.noise(40 + turn % 3, of: device)) }
            bench.advance(by: .seconds(2))
            bench.deliver(.unavailable(reason: "away", retryAfter: nil))
        }
        let held = counts(bench.held())
        let own = bench.core.sinks[0].machine.counts
        #expect(own.evictedTotal > 1000 && own.pending > 1000)
        let rows = try rows(bench)
        for device in ["a", "b", "c"].map({ DeviceID($0) }) {
            let lost = bench.core.ledger[device].stored - (held[device] ?? 0)
            #expect(rows[device]?.evictedTotal == lost)
            #expect(rows[device]?.pending == held[device])
        }
        #expect(bench.core.sinks[0].account.unattributed == UploadCounts())
        // And they stay so: what the tally found is written with the next block.
        bench.advance(by: .seconds(10))
        try bench.restart(on: bench.disk.afterPowerCut { _ in false })
        #expect(bench.core.sinks[0].account.unattributed == UploadCounts())
        #expect(try self.rows(bench)[DeviceID("a")] == rows[DeviceID("a")])
    }

    @Test("What a disk could not give for a while is uploaded after all once a start finds it whole, and once")
    func comesBack() throws {
        let bench = try Bench()
        bench.holdsWrites = true
        bench.submit(bench.readings(5, of: "a"))
        while let plan = bench.writes.first {
            bench.write()
            guard plan.readings > 0 else { continue }
            let block = try #require(
                plan.writes.first {
                    !$0.position.isMultiple(of: bench.options.geometry.segmentBytes) && $0.bytes.contains { $0 > 0 }
                })
            bench.disk.flip(at: block.position + 64, mask: 0x10)
        }
        bench.holdsWrites = false
        bench.submit(bench.readings(20, of: "b"))
        for _ in 0..<20 {
            bench.deliver()
            bench.advance(by: .seconds(10))
        }
        #expect(bench.core.sinks[0].machine.counts.damaged == 5)
        #expect(bench.core.sinks[0].machine.counts.pending == 0)
        try bench.restart(on: bench.disk.afterKill())
        #expect(bench.core.sinks[0].machine.counts.pending == 5)
        #expect(drain(bench).map(\.offset) == (0..<5).map { Offset($0) })
        for _ in 0..<2 {
            #expect(bench.core.sinks[0].machine.counts.uploaded == 25)
            #expect(bench.core.sinks[0].machine.counts.pending == 0)
            #expect(bench.core.isBalanced)
            bench.advance(by: .seconds(10))
            try bench.restart(on: bench.disk.afterKill())
        }
    }

    @Test("Damaged readings have no stream until nothing is pending; then each stream has what it lacks")
    func damage() throws {
        let bench = try Bench()
        bench.holdsWrites = true
        bench.submit(bench.readings(5, of: "a"))
        while let plan = bench.writes.first {
            bench.write()
            guard plan.readings > 0 else { continue }
            let block = try #require(
                plan.writes.first {
                    !$0.position.isMultiple(of: bench.options.geometry.segmentBytes) && $0.bytes.contains { $0 > 0 }
                })
            try bench.disk.write([0xFF, 0xFF, 0xFF, 0xFF], at: block.position + 64)
        }
        bench.holdsWrites = false
        bench.submit(bench.readings(20, of: "b"))
        for (sink, request, source) in bench.sends {
            let (readings, result) = source.perform(on: bench.disk)
            #expect(readings.count < 16 && !result.damage.isEmpty)
            bench.step(.unreadable(sink: sink, request.id, request.log, missing: [], damage: result.damage))
        }
        bench.sends = []
        let before = try rows(bench)
        #expect(before[Ledger.unattributed]?.damaged == 5)
        #expect(before.values.reduce(0) { $0 + $1.stored } == 25)
        bench.advance(by: .seconds(100))
        #expect(drain(bench).count == 20)
        let after = try rows(bench)
        #expect(after[DeviceID("a")]?.damaged == 5)
        #expect(after[DeviceID("b")]?.uploaded == 20)
        #expect(after[Ledger.unattributed] == nil)
    }

    @Test("A sink that comes later has missed what was gone before; the streams' shares are exact once it has the rest")
    func laterSink() throws {
        let bench = try Bench(segments: 8, sinks: [])
        for _ in 0..<250 {
            for device in ["a", "b"] { bench.submit(bench.noise(60, of: device)) }
            bench.advance(by: .seconds(2))
        }
        bench.setups = [Bench.setup("late")]
        try bench.restart(on: bench.disk.afterKill())
        let own = bench.core.sinks[0].machine.counts
        #expect(own.evictedTotal > 0 && own.stored == bench.core.ledger.total.stored)
        #expect(try rows(bench)[Ledger.unattributed]?.evictedTotal == own.evictedTotal)
        let got = counts(drain(bench))
        let rows = try rows(bench)
        for device in ["a", "b"].map({ DeviceID($0) }) {
            #expect(rows[device]?.uploaded == got[device])
            #expect(rows[device]?.evictedTotal == bench.core.ledger[device].stored - (got[device] ?? 0))
        }
    }

    @Test("Accounts that cannot be true are begun anew, and no column is ever below zero")
    func contradictions() throws {
        var settings = GatewayCore.Settings()
        settings.accountReadings = 1
        let bench = try Bench(settings: settings)
        for _ in 0..<4 {
            bench.submit(bench.readings(20, of: "a"))
            bench.deliver()
            bench.advance(by: .seconds(8))
        }
        var counts = UploadCounts()
        counts.add(1000, .uploaded)
        let name = AccountName(sink: "cloud", device: DeviceID("a")).text
        bench.core.putState(
            StateKey(StateKind.account, name), AccountRecord(number: 1, counts: counts).bytes)
        bench.submit(bench.readings(3, of: "b"))
        bench.advance(by: .seconds(8))
        try bench.restart(on: bench.disk.afterKill())
        #expect(bench.core.isBalanced)
        #expect(bench.core.sinks[0].account.streams.isEmpty)
        _ = drain(bench)
        let rows = try rows(bench)
        #expect(rows[DeviceID("a")]?.uploaded == 80)
        #expect(rows[DeviceID("b")]?.uploaded == 3)
        try bench.restart(on: bench.disk.afterKill())
        #expect(bench.core.isBalanced)
        #expect(bench.core.sinks[0].account.unattributed.settled <= 83)
    }

    /// Bytes written in 400 s by 100 devices with one reading per second each and a sink that takes all.
    private func bytesWritten(_ settings: GatewayCore.Settings, sinks: [String]) throws -> Int {
        let bench = try Bench(segments: 8, sinks: sinks, settings: settings, geometry: .standard)
        for _ in 0..<400 {
            for device in 0..<100 {
                bench.step(
                    .submitted(
                        Submission(
                            entries: [Entry(bench.readings(1, of: "sensor-\(device)"))], window: .seconds(1))))
            }
            bench.advance(by: .seconds(1))
            bench.deliver()
        }
        #expect(bench.core.ledger.total.stored > 39_000)
        return bench.core.ring.statistics.bytesWritten
    }

    @Test("At 100 devices with one reading per second each, accounts cost less than two bytes per reading")
    func cost() throws {
        var never = GatewayCore.Settings()
        never.accountReadings = .max
        never.accountWindow = .seconds(1 << 40)
        let before = try bytesWritten(never, sinks: ["cloud"])
        let after = try bytesWritten(GatewayCore.Settings(), sinks: ["cloud"])
        print("bytes per reading: \(Double(before) / 40_000) without accounts, \(Double(after) / 40_000) with them")
        #expect(after - before < 2 * 40_000)
    }
}
