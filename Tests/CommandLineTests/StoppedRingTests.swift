import Environment
import Glibc
import LogFormat
import Model
import Posix
import RingLog
import Testing

@Suite struct StoppedRingTests {
    /// A ring of `count` readings, three in each millisecond, so that pages end within one.
    private func withRing(_ count: Int, _ body: (String) async throws -> Void) async throws {
        try await withFolder { folder in
            defer { unlink(folder + "/ring") }
            try make(folder, count)
            try await body(folder)
        }
    }

    private func make(_ folder: String, _ count: Int) throws {
        let disk = try FileDisk(path: folder + "/ring", size: 8 * Geometry.standard.segmentBytes)
        var random = SystemRandomNumberGenerator()
        var (ring, _) = try RingLog.open(disk: disk, options: RingOptions(), using: &random)
        let series = Series(device: DeviceID("soil-3"), metric: "moisture", unit: "%")
        let boot = BootID(high: 1, low: 2)
        for number in 0..<count {
            let stamp = Stamp(
                boot: boot, uptime: Microseconds(Int64(number / 3) * 1000),
                wallOffset: Microseconds(1_000_000_000_000_000),
                isTrusted: number > 0)
            _ = try ring.append(Entry([Reading(series: series, stamp: stamp, value: .number(Double(number)))]))
        }
        var now = MonotonicInstant(nanoseconds: 0)
        while ring.waitingReadings > 0 {
            let plan = try #require(ring.cut(now: now, using: &random))
            _ = ring.finished(plan.id, plan.perform(on: disk), now: now)
            now = now.advanced(by: .seconds(1))
        }
    }

    @Test func `a stopped gateway's readings are all told, each once and in order`() async throws {
        try await withRing(9001) { folder in
            let outcome = try await Child.run(["query", "--data-dir", folder, "--format", "csv"])
            #expect(outcome.code == 0, "\(outcome.errors)")
            let values = outcome.output.split(separator: "\n").dropFirst().compactMap {
                Int($0.split(separator: ",")[4])
            }
            #expect(values == Array(0..<9001))
        }
    }

    @Test func `a limit gives the newest, a range and a glob what they say, in the form of the contract`() async throws
    {
        try await withRing(30) { folder in
            let newest = try await Child.run([
                "query", "soil-*", "--data-dir", folder, "--limit", "1", "--format", "json",
            ])
            let log = newest.output.suffix(21).prefix(16)
            #expect(
                newest.output == """
                    [
                    {"offset":29,"device":"soil-3","metric":"moisture","unit":"%","t":1000000000009,"value":29,"quality":"good",\
                    "gateway":"","node":"","log":"\(log)"}
                    ]

                    """)
            let ranged = try await Child.run([
                "query", "--data-dir", folder, "--since", "2001-09-09T01:46:40.002Z", "--until",
                "2001-09-09T01:46:40.004Z", "--format",
                "line",
            ])
            #expect(ranged.output.split(separator: "\n").count == 6, "\(ranged)")
            let first = try await Child.run(["query", "--data-dir", folder, "--until", "2001-09-09T01:46:40.001Z"])
            #expect(first.output.contains("clock-unsynced"), "\(first)")
            let other = try await Child.run(["query", "door", "--data-dir", folder, "--format", "json"])
            #expect(other.output == "[]\n")
        }
    }

    @Test func `nothing of it is changed, and a gateway that runs there is pointed out`() async throws {
        try await withRing(30) { folder in
            let before = try digest(folder + "/ring")
            let lock = try InstanceLock(directory: folder)
            let outcome = try await Child.run(["query", "--data-dir", folder])
            #expect(outcome.code == 0)
            #expect(outcome.errors.contains("a gateway runs on \(folder)"))
            #expect(try digest(folder + "/ring") == before)
            withExtendedLifetime(lock) {}
            unlink(folder + "/lock")
        }
    }

    @Test func `a folder without a ring is a wrong call, a file that is no ring is not well`() async throws {
        try await withFolder { folder in
            let missing = try await Child.run(["query", "--data-dir", folder])
            #expect(missing.code == 2)
            #expect(missing.errors.contains("is \(folder) a gateway's data_dir?"), "\(missing)")
            let descriptor = open(folder + "/ring", O_WRONLY | O_CREAT, 0o600)
            let text = String(repeating: "not a ring\n", count: 100)
            try #require(write(descriptor, text, text.utf8.count) == text.utf8.count)
            close(descriptor)
            let foreign = try await Child.run(["query", "--data-dir", folder])
            #expect(foreign.code == 1, "\(foreign)")
            #expect(foreign.output == "" && foreign.errors.contains("\(folder)/ring: "), "\(foreign)")
            unlink(folder + "/ring")
        }
    }

    private func digest(_ path: String) throws -> Int {
        try File.read(path, limit: 1 << 26).hashValue
    }
}
