import FoundationEssentials
import TestKit
import Testing

@Suite(
    "Bad topics and floods", .serialized, .timeLimit(.minutes(2)),
    SharedGateway(more: FloodRow.configuration) { site in
        let publisher = CountingPublisher(port: site.broker.port, clientID: "retained")
        try await publisher.publish(count: 1, retain: true) { _ in ("load/retained", [0x31]) }
    })
struct FloodTests {
    /// What a flood may cost beyond what the gateway had: 4096 devices with all that belongs to them, and queues that are full.
    private static let mebibytes = 192

    @Test(
        "Too much is counted, said in a line, costs bounded memory, and the neighbours speak on",
        arguments: FloodRow.rows.indices)
    func isBounded(_ index: Int) async throws {
        let bench = try #require(Bench.current)
        let row = FloodRow.rows[index]
        let isAtStart = row.page.thing.contains("retained message")
        let before = isAtStart ? StatusTree.null : try await bench.status()
        let memory = try Self.residentMebibytes(bench)
        async let speaking: Void = bench.letNeighbourSpeak()
        try await row.publish(bench)
        try await speaking
        try await bench.letNeighbourSpeak()
        let after = try await bench.status()
        for counter in row.page.counters {
            let fault = counter.fault(before: before, after: after)
            #expect(fault == nil, "\(row.page.thing): \(fault ?? "")")
        }
        if let message = row.page.message {
            let lines = bench.site.gateway?.log.filter { $0.contains(message) } ?? []
            #expect(
                (1...row.lines).contains(lines.count), "\(row.page.thing): \(lines.count) lines: \(lines.prefix(3))")
        }
        let grown = try Self.residentMebibytes(bench) - memory
        #expect(grown < Self.mebibytes, "\(row.page.thing): \(grown) MiB more")
    }

    private static func residentMebibytes(_ bench: Bench) throws -> Int {
        let process = try #require(bench.site.gateway?.processID)
        let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int(line.filter(\.isNumber))) / 1024
    }
}
