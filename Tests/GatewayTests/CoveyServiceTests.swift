import FoundationEssentials
import PrometheusMetrics
import TestKit
import Testing

@Suite("A gateway with a link to a covey", .serialized)
struct CoveyServiceTests {
    @Test("It tells of the covey in its metrics, leaves once all is uploaded, and is idle then")
    func leaves() async throws {
        let port = try MosquittoBroker.freePort()
        let site = try await Site(
            more: """
                [cluster]
                listen = "127.0.0.1:\(port)"
                seeds = ["127.0.0.1:\(port)"]
                [[device]]
                id = "tide"
                driver = "simulated"
                interval = "100 ms"

                """)
        try await site.start()
        let socket = site.directory + "/covey.sock"
        var page = try await metrics(socket)
        while page["covey_link_up"]?.samples.first?.value != 1 || page["covey_link_messages_total"] == nil {
            page = try await metrics(socket)
        }
        let alive = page["covey_members"]?.samples.first { $0.labels["state"] == "alive" }
        #expect(alive?.value == 0)
        let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let words = try String(contentsOfFile: "/\(folder)/Documentation/Metrics.md", encoding: .utf8)
        for family in page.families {
            #expect(words.contains("`\(family.name)"), "\(family.name) is not in Documentation/Metrics.md")
        }

        #expect(try await HTTPGet.get("/v1/forget?node=nobody", socket: socket, method: "POST").status == 404)
        var answer = ""
        while !answer.contains(#""state":"left""#) {
            answer = String(
                decoding: try await HTTPGet.get("/v1/leave", socket: socket, method: "POST").body, as: UTF8.self)
        }
        let status = try await site.status()
        #expect(status.ledger.sinks["cloud"]?.pending == 0)
        #expect(status.ledger.stored > 0)
        let health = String(decoding: try await HTTPGet.get("/healthz", socket: socket).body, as: UTF8.self)
        #expect(health.contains("it has left its covey and is idle"))
        #expect(await site.terminate() == .exited(0))
        await site.end()
    }

    private func metrics(_ socket: String) async throws -> PrometheusPage {
        try PrometheusPage(try await HTTPGet.get("/metrics", socket: socket).body)
    }
}
