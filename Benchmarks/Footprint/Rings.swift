import BenchmarkKit
import Glibc
import TestKit

/// What the size of a full ring of 1,000 series costs: the time to start with it, memory, and the time until `covey query` has printed
/// one day of one series, a reading a minute.
struct Rings {
    let runs: Int
    /// MiB of each ring.
    let sizes: [Int]

    private static let series = 1000
    private static let day = 86_400

    func run() async throws {
        var report = Report(
            "rings",
            columns: [
                "ring", "million readings", "days", "seconds to the first answer", "RSS MiB", "of which its own",
                "one day of one series, ms", "the same, not in the page cache, ms",
            ])
        for size in sizes { try await measure(size, &report) }
        report.note(
            "\(Self.series) series, a reading a minute each, noise of all 52 bits: 7 to 8 bytes per reading, where a site's take 2 to 3. "
                + "Medians of \(runs) runs, least and most in brackets; before a start and where it is said the ring was dropped from the "
                + "page cache. Memory after the queries. A query is the whole program, from its start to its end.")
        try report.publish()
    }

    private func measure(_ size: Int, _ report: inout Report) async throws {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let (readings, newest) = try FullRing(bytes: size << 20, devices: Self.series).fill(folder + "/full")
        var (starts, warm, cold) = ([Double](), [Double](), [Double]())
        var usage: Usage?
        // The first start counts what was filled in, which no later one does.
        for run in 0...runs {
            try FullRing.dropFromCache(folder + "/full/data/ring")
            let began = monotonicSeconds()
            let gateway = try await RunningGateway(folder: folder + "/full") {
                RunningGateway.head($0, ring: "\(size) MiB")
            }
            if run > 0 { starts.append(monotonicSeconds() - began) }
            for number in 0..<3 {
                let device = FullRing.device((run * 3 + number) * 31 % Self.series)
                try FullRing.dropFromCache(folder + "/full/data/ring")
                cold.append(try await query(device, before: newest - Self.day, gateway))
                warm.append(try await query(device, before: newest - Self.day, gateway))
            }
            usage = try gateway.usage()
            _ = await gateway.process.terminate()
        }
        guard let usage else { return }
        report.add(
            "\(size) MiB", (Double(readings) / 1e6).text(1), "\(readings / Self.series / 1440)",
            Self.text(starts, 1, 2),
            (Double(usage.residentKiB) / 1024).text(1), (Double(usage.privateKiB) / 1024).text(1),
            Self.text(warm, 1000, 0),
            Self.text(cold, 1000, 0))
    }

    /// The day before `end`, in seconds since 1970.
    private func query(_ device: String, before end: Int, _ gateway: RunningGateway) async throws -> Double {
        let words = [
            "query", device, "--since", Self.text(end - Self.day), "--until", Self.text(end), "--format", "csv",
            "--socket", gateway.socket,
        ]
        let began = monotonicSeconds()
        let asked = try ChildProcess(Files.sibling("covey"), words)
        guard await asked.ending() == .exited(0) else {
            throw ChildFailure(description: asked.log.joined(separator: "\n"))
        }
        let seconds = monotonicSeconds() - began
        let rows = asked.log.count { $0.contains(device) }
        guard rows == 1440 else { throw ChildFailure(description: "\(rows) readings of \(device), not 1440") }
        return seconds
    }

    private static func text(_ seconds: Int) -> String {
        var (time, parts) = (time_t(seconds), tm())
        gmtime_r(&time, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let length = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func text(_ values: [Double], _ factor: Double, _ digits: Int) -> String {
        let spread = Spread(values.map { $0 * factor })
        return "\(spread.median.text(digits)) (\(spread.least.text(digits))–\(spread.most.text(digits)))"
    }
}
