import TestKit

/// A broker that does not do what a broker should.
struct BrokerRow: Sendable {
    let page: BadInput
    /// Its name in the configuration.
    let broker: String
    /// Brings it about, where it is not so from the beginning.
    let deed: @Sendable (BadBrokers) async throws -> Void
    /// What makes it well again; `nil` where nothing in the row does. Then its device must be heard.
    let cure: (@Sendable (BadBrokers) async throws -> Void)?

    init(
        _ broker: String, _ thing: String, says message: String, _ counters: Counter..., do advice: String,
        deed: @escaping @Sendable (BadBrokers) async throws -> Void = { _ in },
        cure: (@Sendable (BadBrokers) async throws -> Void)? = nil
    ) {
        let failures = counters.isEmpty ? [Counter("brokers.\(broker).failures", .atLeast(1))] : counters
        page = BadInput(source: .broker, thing: thing, message: message, counters: failures, advice: advice)
        self.broker = broker
        self.deed = deed
        self.cure = cure
    }
}

extension BrokerRow {
    static let rows = [
        BrokerRow(
            "absent", "not there when the gateway starts, and comes later",
            says: "broker absent: nothing listens on the broker's port: check that it runs, and the port",
            do: "Nothing: it is tried again, at least every minute.",
            cure: { try await $0.absent.start() }),
        BrokerRow(
            "closed", "nothing behind its port",
            says: "broker closed: nothing listens on the broker's port: check that it runs, and the port",
            do: "As it says."),
        BrokerRow(
            "unknown", "a name without address",
            says: "broker unknown: the name no-such-broker.invalid cannot be resolved",
            do: "Check the name, and the DNS."),
        BrokerRow(
            "password", "a wrong password",
            says:
                "broker password: the broker does not accept user covey: check username, password_file and the broker's password list",
            do: "As it says."),
        BrokerRow(
            "expired", "an expired certificate", says: "broker expired: the broker's certificate has expired: renew it",
            do: "As it says; a board in 1970 says “not valid yet”."),
        BrokerRow(
            "name", "a certificate for another name",
            says: "broker name: the broker's certificate is for another name than the host",
            do: "Write the certificate's name into url."),
        BrokerRow(
            "web", "a web server in its place",
            says:
                "broker web: the other side ended the connection without an answer: check that host and port are a broker's",
            do: "Check host and port: 1883, or 8883 with TLS."),
        BrokerRow(
            "acl", "a subscription that it refuses", says: "broker acl refuses t/acl: the broker says: Not authorized",
            Counter("brokers.acl.refused", .says("t/acl")), Counter("reasons", .says("broker acl refuses t/acl")),
            do: "Allow it in the broker's access list."),
        BrokerRow(
            "hostile", "a topic that is no UTF-8, sent again at every connection",
            says: "broker hostile: the other side does not keep to MQTT: check that host and port are a broker's",
            do: "Brokers do not let such topics pass: see what it is."),
        BrokerRow(
            "restarts", "restarted in good order", says: "broker restarts: the broker",
            do: "Nothing: it kept what came meanwhile.",
            deed: { brokers in
                await brokers.restarts.stop()
                try await brokers.restarts.start()
            }, cure: { _ in }),
        BrokerRow(
            "restarts", "killed, and restarted without its memory",
            says: "broker restarts: it has forgotten our session and what it kept for us: see its persistence",
            Counter("brokers.restarts.sessions_forgotten", .by(1)),
            do: "Set persistence true in the broker; what it kept for us is lost.",
            deed: { brokers in
                await brokers.restarts.kill()
                brokers.forget()
                try await brokers.restarts.start()
            }, cure: { _ in }),
        BrokerRow(
            "halfopen", "a connection on which nothing comes through any more",
            says:
                "broker halfopen: the broker did not answer for the keep-alive: it hangs, or the network between has failed",
            do: "See the network; keep_alive says how soon it is noticed.",
            cure: { $0.relay.release() }),
    ]
}
