import TestKit

/// A sink that does not do what a sink should.
struct SinkRow: Sendable {
    enum Place: Sendable {
        /// A receiver of the row's own, in this mode.
        case receiver(ReceiverMode)
        /// One that speaks TLS with this certificate.
        case secure(certificate: String)
        /// A receiver that speaks no TLS, called as if it did.
        case plainAsSecure
        /// As it stands.
        case url(String)
        case closedPort
        /// A receiver over TLS, whose authority's file is not there yet.
        case authorityMissing
    }

    let page: BadInput
    /// Its name in the configuration.
    let sink: String
    let place: Place
    /// Whether everything arrives once the sink is well.
    let isCurable: Bool

    /// - Parameter says: What `covey uploads` shows.
    init(
        _ sink: String, _ thing: String, _ place: Place, says message: String, _ counters: Counter...,
        isCurable: Bool = true, do advice: String
    ) {
        let common =
            counters.isEmpty
            ? [Counter("uploads.\(sink).failures", .atLeast(1)), Counter("uploads.\(sink).last_error", .says(message))]
            : counters
        page = BadInput(source: .sink, thing: thing, message: message, counters: common, advice: advice)
        self.sink = sink
        self.place = place
        self.isCurable = isCurable
    }
}

extension SinkRow {
    static let rows = [
        SinkRow(
            "s500", "answers 500", .receiver(.status(500)), says: "500 Internal Server Error: as told",
            do: "See the receiver's log; what waits is sent when it is well."),
        SinkRow(
            "s429", "answers 429 with Retry-After", .receiver(.tooMany(retryAfter: "2")), says: "429 Too Many Requests",
            do: "Nothing: it is heeded. max_rate keeps below its limit."),
        SinkRow(
            "s401", "answers 401", .receiver(.status(401)), says: "are token and certificate right?",
            do: "Put the right token into token_file; it is read again."),
        SinkRow(
            "s400", "answers 400 to one reading", .receiver(.poison(status: 400, device: "poison")),
            says: "400 Bad Request: I do not like poison", Counter("ledger.sinks.s400.refused", .by(1)),
            Counter("uploads.s400.refused_readings", .says("I do not like poison")), isCurable: false,
            do:
                "See why the receiver dislikes it; that reading is kept, counted and not sent again, its neighbours are."
        ),
        SinkRow(
            "s400all", "answers 400 to everything", .receiver(.status(400)),
            says: "the sink refuses every reading of ", Counter("ledger.sinks.s400all.refused", .by(0)),
            Counter("uploads.s400all.last_error", .says("the sink refuses every reading of ")),
            do: "See the receiver: that no reading is good enough is a fault of its own, so all of them stay pending."),
        SinkRow(
            "s413", "answers 413 to one reading", .receiver(.poison(status: 413, device: "poison")),
            says: "413 Payload Too Large: I do not like poison", Counter("ledger.sinks.s413.refused", .by(1)),
            Counter("uploads.s413.refused_readings", .says("I do not like poison")), isCurable: false,
            do: "Raise the receiver's limit: batches are halved down to one reading before that."),
        SinkRow(
            "hang", "never answers", .receiver(.hang), says: "no answer within 1 s",
            do: "See the receiver; timeout says how long is waited."),
        SinkRow(
            "reset", "stores a batch and cuts the connection", .receiver(.resetAfterCommit), says: "connection",
            do: "Nothing: it is sent again, and the key tells the receiver."),
        SinkRow(
            "redirect", "redirects", .receiver(.redirect(to: "http://127.0.0.1:1/login")),
            says: "302 Found: redirected to http://127.0.0.1:1/login; redirects are not followed",
            do: "Write the right address into url, or log in to the network."),
        SinkRow(
            "portal", "a captive portal: 200 with a web page", .receiver(.captivePortal),
            says: "200 OK with a web page: a captive portal, or the url is not that of a receiver",
            do: "Log in to the network."),
        SinkRow(
            "echo", "answers for another batch", .receiver(.wrongEcho), says: "200 OK, but it echoes another batch",
            do: "See the receiver, or the proxy before it."),
        SinkRow(
            "name", "a certificate for another name", .secure(certificate: "client"),
            says: "TLS: the sink's certificate is for another name", isCurable: false,
            do: "Write the certificate's name into url."),
        SinkRow(
            "expired", "an expired certificate", .secure(certificate: "expired"),
            says: "TLS: the sink's certificate has expired on ", isCurable: false, do: "Renew it, or set the clock."),
        SinkRow(
            "plain", "no TLS where https:// is said", .plainAsSecure, says: "TLS: the other side does not speak TLS",
            isCurable: false,
            do: "Check the port."),
        SinkRow(
            "authority", "a ca_file that is not there", .authorityMissing,
            says: "upload authority: cannot read ", do: "Put it there: it is looked for with every attempt."),
        SinkRow(
            "unknown", "a name without address", .url("http://no-such-sink.invalid/"),
            says: "no address found for no-such-sink.invalid (DNS)", isCurable: false,
            do: "Check the name, and the DNS."),
        SinkRow(
            "closed", "nothing behind its port", .closedPort, says: "connection refused", isCurable: false,
            do: "Check that the receiver runs, and the port."),
    ]
}
