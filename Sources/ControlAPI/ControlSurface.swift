package import Model

/// What the control interface asks of the gateway. It knows nothing else of it, so that it can be tested, and reused, alone.
///
/// Documents are whole JSON texts in UTF-8. Every call may throw a ``ControlError``, which reaches the caller as it is; any other error
/// becomes a 500 with its description. Calls are made from many tasks at once and are cancelled when their caller goes away; one that does not answer
/// within ``ControlLimits/answerTime`` is answered for with a 503.
package protocol ControlSurface: Sendable {
    /// One object: `gateway`, `node`, `version`, `health`, `ledger`, `tree`, `ring`, `uploads`, `peers` and more.
    func status() async throws -> [UInt8]
    /// An array, one object per device.
    func devices() async throws -> [UInt8]
    /// An array, one object per upload.
    func uploads() async throws -> [UInt8]
    /// An array, one object per peer, without the gateway itself.
    func peers() async throws -> [UInt8]
    /// One object: the ring's segments, and every log that it holds with its ranges and gaps.
    func ring() async throws -> [UInt8]
    /// An array of readings, the newest of each series that a glob matches; no globs means all. With `history` above 0 each has a member
    /// `history` besides: at most so many values up to the newest, oldest first, flags as 0 and 1.
    func latest(_ globs: [Glob], history: Int) async throws -> [UInt8]
    /// Stored readings, oldest first.
    func query(_ request: QueryRequest) async throws -> LineStream
    /// Readings from now on, as they are stored. ``TailHub`` makes such streams.
    func tail(_ globs: [Glob]) async throws -> LineStream
    func health() async throws -> HealthReport
    /// Prometheus text, version 0.0.4.
    func metrics() async throws -> [UInt8]
    /// Begins what is ordered; one object that says what comes of it.
    func perform(_ order: ControlOrder) async throws -> [UInt8]
}

/// Which stored readings are asked for.
package struct QueryRequest: Hashable, Sendable {
    /// A reading is wanted if one of them matches its series; none means all.
    package let globs: [Glob]
    /// Unix milliseconds, inclusive; `nil` for the oldest held.
    package let since: Milliseconds?
    /// Unix milliseconds, exclusive; `nil` for the newest held.
    package let until: Milliseconds?
    /// At most so many, the newest of those that match; `nil` for all. At least 1.
    package let limit: Int?
    /// Whose readings: names of gateways, or how their node ids begin; none means all.
    package let gateways: [String]

    package init(
        globs: [Glob] = [], since: Milliseconds? = nil, until: Milliseconds? = nil, limit: Int? = nil,
        gateways: [String] = []
    ) {
        self.globs = globs
        self.since = since
        self.until = until
        self.limit = limit
        self.gateways = gateways
    }
}

/// Lines of JSON that somebody pulls one after the other. Nothing is produced before it is asked for, so that a slow reader costs one
/// chunk of memory, not a queue.
///
/// Each chunk is one or more whole lines, each with its line feed. A line is a reading in the form of the contract, or tells of the
/// stream itself: `{"dropped":N}` where a slow reader missed N readings, `{"note":TEXT}` for what a person should know of the answer,
/// `{"error":TEXT,"hint":TEXT}` as the last line of an answer that broke off. Blank lines say that somebody is at work.
package struct LineStream: Sendable {
    private let pull: @Sendable () async throws -> [UInt8]?

    /// `pull` gives the next chunk or `nil` at the end; it is called by one task at a time and never again after an error or the end.
    package init(pull: @escaping @Sendable () async throws -> [UInt8]?) {
        self.pull = pull
    }

    /// The next chunk; `nil` at the end.
    package func next() async throws -> [UInt8]? { try await pull() }
}

/// How the gateway is, for `/healthz`.
package struct HealthReport: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        case ok, degraded, failed
    }

    package let state: State
    /// Why it is not `ok`, a sentence each.
    package let reasons: [String]

    package init(_ state: State, reasons: [String] = []) {
        self.state = state
        self.reasons = reasons
    }

    var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("health")
            writer.string(state.rawValue)
            writer.key("reasons")
            writer.array { writer in
                for reason in reasons { writer.string(reason) }
            }
        }
        return writer.bytes
    }
}
