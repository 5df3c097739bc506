import Environment
import Model
import Simulator
import Testing

@testable import GatewayCore

@Suite("The newest readings and their last values")
struct LatestTests {
    @Test("A series has its last 24 values, oldest first, and no more of them than are asked for")
    func lastValues() {
        var table = LatestTable()
        for number in 0..<100 { table.note(reading("soil", .number(Double(number)), UInt64(number))) }
        #expect(history(table, "soil") == (76..<100).map(Float.init))
        #expect(table.entries(matching: [], values: 3).map(\.history) == [[97, 98, 99]])
        #expect(table.entries(matching: [], values: 0).map(\.history) == [[]])
        #expect(table.readings(matching: []).map(\.offset) == [Offset(99)])
    }

    @Test("Values of each series stay with it, whatever the order they come in")
    func seriesApart() {
        var table = LatestTable()
        var random = SeededRandom(seed: 4)
        var expected: [String: [Float]] = [:]
        for step in 0..<2000 {
            let device = "d\(Int.random(in: 0..<40, using: &random))"
            expected[device, default: []].append(Float(step))
            table.note(reading(device, .number(Double(step)), UInt64(step)))
        }
        for (device, values) in expected { #expect(history(table, device) == Array(values.suffix(24))) }
        #expect(
            table.readings(matching: [Glob("d1?")]).map(\.reading.series.device.rawValue) == (10..<20).map { "d\($0)" })
    }

    @Test("Flags are 0 and 1, texts leave no value, and numbers too great for a Float stay finite")
    func kinds() {
        var table = LatestTable()
        for (offset, value) in [Value.flag(true), .text("Online"), .flag(false), .number(1e300), .number(-1e300)]
            .enumerated()
        {
            table.note(reading("x", value, UInt64(offset)))
        }
        let most = Float.greatestFiniteMagnitude
        #expect(history(table, "x") == [1, 0, most, -most])
    }

    @Test("Recalled values come before those of this run, and a snapshot's value that comes again is told once")
    func recalled() {
        var table = LatestTable()
        table.recall(reading("a", .number(7), 7))
        for offset in 3..<9 { table.recall(reading("a", .number(Double(offset)), UInt64(offset))) }
        #expect(history(table, "a") == [3, 4, 5, 6, 7, 8])
        table.note(reading("a", .number(50), 50))
        table.recall(reading("a", .number(9), 9))
        #expect(history(table, "a") == [3, 4, 5, 6, 7, 8, 50])
        #expect(table.readings(matching: []).map(\.offset) == [Offset(50)])
    }

    @Test("What is committed is in the table with its values, and after a restart what is recalled")
    func throughTheCore() throws {
        let bench = try Bench(sinks: [])
        bench.submit(bench.readings(5), ticket: 1)
        bench.advance(by: .seconds(1))
        #expect(history(bench.core.latest, "d") == [0, 1, 2, 3, 4])
        try bench.restart(on: bench.disk.afterPowerCut { _ in false })
        #expect(bench.core.latest.readings(matching: []).isEmpty)
        for stored in bench.held() { bench.core.recall(stored) }
        #expect(history(bench.core.latest, "d") == [0, 1, 2, 3, 4])
    }

    @Test("Beyond the limit of series nothing is kept, and what is kept goes on")
    func limit() {
        var table = LatestTable()
        for number in 0...Limits.series { table.note(reading("d\(number)", .number(1), UInt64(number))) }
        #expect(table.readings(matching: []).count == Limits.series)
        #expect(table.entries(matching: [Glob("d\(Limits.series)")], values: 24).isEmpty)
        table.note(reading("d0", .number(2), 1 << 20))
        #expect(history(table, "d0") == [1, 2])
    }

    private func history(_ table: LatestTable, _ device: String) -> [Float] {
        table.entries(matching: [Glob(device)], values: Limits.historyValues).first?.history ?? []
    }

    private func reading(_ device: String, _ value: Value, _ offset: UInt64) -> StoredReading {
        let stamp = Stamp(
            boot: BootID(high: 0, low: 1), uptime: Microseconds(Int64(offset)), wallOffset: Microseconds(0),
            isTrusted: true)
        let reading = Reading(series: Series(device: DeviceID(device), metric: "t"), stamp: stamp, value: value)
        return StoredReading(log: LogID(1), offset: Offset(offset), reading: reading)
    }
}
