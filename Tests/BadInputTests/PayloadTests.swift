import TestKit
import Testing

@Suite(
    "Bad payloads", .serialized, .timeLimit(.minutes(2)),
    SharedGateway(more: Form.allCases.map(\.configuration).joined()))
struct PayloadTests {
    @Test(
        "A bad payload is named, counted, and costs its neighbours nothing", arguments: PayloadRow.rows.indices)
    func isNamedAndCounted(_ index: Int) async throws {
        let bench = try #require(Bench.current)
        let row = PayloadRow.rows[index]
        let thing = "\(row.form.rawValue), \(row.page.thing)"
        let topic = row.form.topic("\(index)")
        let device = "\(row.form.rawValue)-\(index)"
        try await bench.publish([(topic, row.payload)])
        try await bench.letNeighbourSpeak()
        let line = try #require(
            bench.site.gateway?.log.first { $0.contains("device \(device): rejected") }, "no line about \(device)")
        #expect(line.contains("rejected (\(row.reason)): "), "\(thing): \(line)")
        #expect(line.contains(row.detail), "\(thing): \(line)")
        let status = try await bench.status()
        for counter in row.page.counters { counter.expect(of: device, in: status, thing) }
        #expect(status["ledger.streams.\(device).stored"]?.integer ?? 0 == row.stored, "\(thing)")
    }
}

extension Counter {
    /// That the counter of a device, which nobody had heard of before, is where it must be.
    func expect(of device: String, in status: StatusTree, _ thing: String) {
        let own = Counter(
            path.split(separator: ".").map { $0 == "DEVICE" ? device : String($0) }.joined(separator: "."), move)
        let fault = own.fault(before: .null, after: status)
        #expect(fault == nil, "\(thing): \(fault ?? "")")
    }
}
