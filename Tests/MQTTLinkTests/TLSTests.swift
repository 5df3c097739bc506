import Devices
import MQTTLink
import Model
import TestKit
import Testing

@Suite struct TLSTests {
    private func broker(
        server: String, options: [String] = []
    ) async throws -> (broker: MosquittoBroker, certificates: Certificates) {
        let broker = try MosquittoBroker()
        let certificates = try await Certificates.make(in: broker.directory)
        try broker.configure(
            options: [
                "cafile \(certificates.authority)", "certfile \(certificates.certificate(server))",
                "keyfile \(certificates.key(server))",
            ] + options)
        try await broker.start()
        return (broker, certificates)
    }

    /// Returns once a failure of the link holds `text`. Where the handshake fails within its first call, the library keeps
    /// less to itself, and only a later attempt tells the whole reason.
    private func waitForFailure(_ text: String, _ settings: BrokerSettings) async throws {
        let running = RunningLink(settings)
        let events = await running.events.wait { $0.contains { $0.failure?.message.contains(text) == true } }
        let failures = events.compactMap(\.failure?.message)
        #expect(failures.contains { $0.contains(text) }, "expected \"\(text)\" among \(failures)")
        try await running.stop()
    }

    @Test(
        "A client certificate, the authority of the broker and the host's name make a connection",
        .timeLimit(.minutes(1)))
    func works() async throws {
        let (broker, certificates) = try await broker(server: "server", options: ["require_certificate true"])
        for host in ["127.0.0.1", "localhost"] {
            var settings = BrokerSettings.test(port: broker.port, host: host)
            settings.tls = TLSFiles(
                caFile: certificates.authority, certFile: certificates.certificate("client"),
                keyFile: certificates.key("client"))
            let running = RunningLink(settings, filters: ["self"])
            await running.events.waitForSubscription("self")
            var publishing = settings
            publishing.clientID = "publisher"
            let publisher = RunningPublisher(publishing)
            await publisher.events.waitForConnection()
            let payload = [UInt8](repeating: 7, count: 100_000)
            for _ in 0..<3 {
                #expect(await publisher.link.publish(topic: "self", payload: payload) == .acknowledged)
            }
            let messages = await running.messages.wait(count: 3)
            #expect(messages.allSatisfy { $0.message.payload == payload })
            try await publisher.stop()
            try await running.stop()
        }
        await broker.stop()
        certificates.remove()
    }

    @Test("What is wrong with a certificate is named", .timeLimit(.minutes(1)))
    func named() async throws {
        let (broker, certificates) = try await broker(server: "server", options: ["require_certificate true"])
        var settings = BrokerSettings.test(port: broker.port)
        settings.tls = TLSFiles(caFile: certificates.otherAuthority)
        try await waitForFailure("not signed by an authority that ca_file holds", settings)
        settings.tls = TLSFiles(caFile: certificates.authority)
        try await waitForFailure("client certificate", settings)
        settings.tls = TLSFiles(caFile: nil)
        try await waitForFailure("not signed by an authority that ca_file holds", settings)
        await broker.stop()
        certificates.remove()
    }

    @Test("An expired certificate, a wrong name and a port without TLS are named", .timeLimit(.minutes(1)))
    func expired() async throws {
        let (broker, certificates) = try await broker(server: "expired")
        var settings = BrokerSettings.test(port: broker.port)
        settings.tls = TLSFiles(caFile: certificates.authority)
        try await waitForFailure("has expired", settings)
        await broker.stop()
        try broker.configure(
            options: [
                "cafile \(certificates.authority)", "certfile \(certificates.certificate("client"))",
                "keyfile \(certificates.key("client"))",
            ])
        try await broker.start()
        try await waitForFailure("for another name", settings)
        await broker.stop()
        try broker.configure(options: [])
        try await broker.start()
        try await waitForFailure("", settings)
        await broker.stop()
        certificates.remove()
    }

    @Test("A file that is no certificate ends the link with an error that names it", .timeLimit(.minutes(1)))
    func unusable() async throws {
        let broker = try MosquittoBroker()
        let path = "\(broker.directory)/names"
        try MosquittoBroker.write("no certificate\n", to: path)
        try await broker.start()
        var settings = BrokerSettings.test(port: broker.port)
        settings.tls = TLSFiles(caFile: path)
        let link = IngestLink(settings: settings, filters: [], seed: 1, events: { _ in }, deliver: { _ in true })
        let error = await #expect(throws: LinkConfigurationError.self) { try await link.run(heartbeat: {}) }
        #expect(error?.message.contains(path) == true)
        await broker.stop()
        removeFiles([path])
    }
}
