import Model

/// Every limit of the control interface, each with its reason. Tests shorten the times.
package struct ControlLimits: Sendable {
    /// A person, a few scripts and a scraper; each connection costs a task and buffers.
    package var connections = 64
    /// Line and fields of a request; 64 globs of the greatest length fit the line. The parser stops at this or a little above.
    package var headBytes = 32 * 1024
    /// No request needs a body yet; a command will be a few hundred bytes.
    package var bodyBytes = 16 * 1024
    /// Patterns of one request: each is tried on every series.
    package var globs = 64
    /// Addresses, or gateways, of one order: as many as a configuration may name seeds.
    package var names = 64
    /// A pattern longer than a series' name can be matches nothing that a shorter one would not.
    package var globBytes = 300
    /// Readings that `limit=` may ask for: beyond this it is not a limit.
    package var queryLimit = 100_000_000
    /// Calls that outlived `answerTime` and still hang: beyond this, calls are refused at once, because each holds memory.
    package var abandonedCalls = 64

    /// How long a connection may be idle, or take to send a request.
    package var requestTime: Duration = .seconds(60)
    /// How long the gateway may take for an answer, or for the next chunk of one.
    package var answerTime: Duration = .seconds(10)
    /// How long a client may leave a chunk unread.
    package var writeTime: Duration = .seconds(30)
    /// An idle tail sends a blank line so often, so that either side notices that the other is gone.
    package var heartbeat: Duration = .seconds(10)

    package init() {}
}
