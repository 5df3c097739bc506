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

    /// Milliseconds, but for the starts.
    private struct Figures {
        var starts: [Double] = []
        var warm: [Double] = []
        var cold: [Double] = []
        var single: [Double] = []
        /// When nobody has asked anything yet, and at the end.
        var usage: (young: Usage, used: Usage)?
    }

    func run() async throws {
        var report = Report(
            "rings",
            columns: [
                "ring", "million readings", "days", "seconds to the first answer", "RSS MiB, of which its own",
                "the same after the queries", "one day of one series, ms", "the same, not in the page cache, ms",
                "one reading, ms",
            ])
        for size in sizes { try await measure(size, &report) }
        report.note(
            "\(Self.series) series, a reading a minute each, noise of all 52 bits: 10 to 11 bytes per reading, where a site's take 2 to 3. "
                + "Medians of \(runs) runs, least and most in brackets; before a start and where it is said the ring was dropped from the "
                + "page cache. A query is the whole program, from its start to its end.")
        try report.publish()
    }

    private func measure(_ size: Int, _ report: inout Report) async throws {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let full = try await FullRing(bytes: size << 20, devices: Self.series).fill(folder + "/full") {
            Self.tell("\(size) MiB: \($0)")
        }
        Self.tell("\(size) MiB: full, \((Double(full.readings) / 1e6).text(1)) million readings")
        var figures = Figures()
        // The first start makes what else a gateway keeps beside its ring.
        for run in 0...runs {
            try await live(size, folder + "/full", full, run: run, &figures)
            if run == 0 { figures = Figures() }
        }
        guard let (young, used) = figures.usage else { return }
        report.add(
            "\(size) MiB", (Double(full.readings) / 1e6).text(1), "\(full.readings / Self.series / 1440)",
            Self.text(figures.starts, 2), Self.text(young), Self.text(used), Self.text(figures.warm),
            Self.text(figures.cold), Self.text(figures.single))
    }

    /// One start, and what is asked then.
    private func live(
        _ size: Int, _ folder: String, _ full: FullRing.Content, run: Int, _ figures: inout Figures
    ) async throws {
        try FullRing.dropFromCache(folder + "/data/ring")
        let began = monotonicSeconds()
        let gateway = try await RunningGateway(folder: folder) { RunningGateway.head($0, ring: "\(size) MiB") }
        let started = monotonicSeconds() - began
        figures.starts.append(started)
        let young = try gateway.usage()
        let end = full.newest - Self.day
        for number in 0..<3 {
            let device = FullRing.device((run * 3 + number) * 31 % Self.series)
            try FullRing.dropFromCache(folder + "/data/ring")
            figures.cold.append(try await query(device, (end - Self.day)..<end, gateway))
            figures.warm.append(try await query(device, (end - Self.day)..<end, gateway))
            figures.single.append(try await query(device, (end - 60)..<end, gateway))
        }
        figures.usage = (young, try gateway.usage())
        let stored = try gateway.status().ledger.stored
        guard stored == full.stored else {
            throw ChildFailure(description: "\(stored) readings were ever stored, says the gateway, not \(full.stored)")
        }
        _ = await gateway.process.terminate()
        Self.tell("\(size) MiB: started in \(started.text(2)) s; one day in \(Self.text(figures.warm)) ms")
    }

    /// A person who waits sees that it lives.
    private static func tell(_ text: String) { say("rings: \(text)", to: STDERR_FILENO) }

    /// Milliseconds until the readings of `span`, seconds since 1970, were printed.
    private func query(_ device: String, _ span: Range<Int>, _ gateway: RunningGateway) async throws -> Double {
        let words = [
            "query", device, "--since", Self.text(span.lowerBound), "--until", Self.text(span.upperBound),
            "--format", "csv", "--socket", gateway.socket,
        ]
        let began = monotonicSeconds()
        let asked = try ChildProcess(Files.sibling("covey"), words)
        guard await asked.ending() == .exited(0) else {
            throw ChildFailure(description: asked.log.joined(separator: "\n"))
        }
        let seconds = monotonicSeconds() - began
        let rows = asked.log.count { $0.contains(device) }
        guard rows == span.count / 60 else {
            throw ChildFailure(description: "\(rows) readings of \(device), not \(span.count / 60)")
        }
        return seconds * 1000
    }

    private static func text(_ seconds: Int) -> String {
        var (time, parts) = (time_t(seconds), tm())
        gmtime_r(&time, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let length = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func text(_ values: [Double], _ digits: Int = 0) -> String {
        let spread = Spread(values)
        return "\(spread.median.text(digits)) (\(spread.least.text(digits))–\(spread.most.text(digits)))"
    }

    private static func text(_ usage: Usage) -> String {
        "\((Double(usage.residentKiB) / 1024).text(1)), \((Double(usage.privateKiB) / 1024).text(1))"
    }
}
