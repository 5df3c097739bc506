import ArgumentParser
import Glibc
import Model

struct JoinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Let this gateway join the covey that is found at these addresses.",
        discussion: """
            As seeds of the configuration, but at once and while it runs. They are kept over restarts until covey leave, and \
            tried on when this verb has given up waiting. Both gateways need the same key: covey key generate.
            """)

    @Argument(help: ArgumentHelp("Where a gateway of the covey listens.", valueName: "host:port"))
    var addresses: [String]

    @Option(help: ArgumentHelp("How long to wait until one of them has answered.", valueName: "time"))
    var timeout = "30s"

    @OptionGroup var daemon: DaemonOptions

    /// Between two questions how far it is.
    private static let pause: useconds_t = 250_000

    func run() throws {
        guard let patience = Duration(text: timeout), patience > .zero else {
            throw Failure(.wrongCall, "--timeout \"\(timeout)\" is no time; write 30s or 2 min")
        }
        defer { Progress.end() }
        Progress.begin("waiting for the daemon")
        let order = "/v1/join?" + addresses.map { "address=" + percentEncoded($0) }.joined(separator: "&")
        let end = ContinuousClock.now.advanced(by: patience)
        var answer = try daemon.client.order(order)
        while Self.joined(answer).isEmpty, ContinuousClock.now < end {
            let count = addresses.count
            Progress.say { "waiting for \(count == 1 ? "an answer" : "one of \(count) addresses to answer")" }
            usleep(Self.pause)
            answer = try daemon.client.order(order)
        }
        Progress.end()
        let joined = Self.joined(answer)
        guard !joined.isEmpty else { throw Failure(.notWell, Self.complaint(answer, timeout)) }
        let output = Output()
        let alive = answer["alive"]?.integer ?? 0
        try output.line(
            "joined: \(joined.joined(separator: ", ")); \(alive) other gateway\(alive == 1 ? " is" : "s are") alive")
        try output.flush()
    }

    private static func joined(_ answer: JSONValue) -> [String] {
        (answer["addresses"]?.elements ?? []).compactMap { entry in
            guard let name = entry["member"]?.string else { return nil }
            return "\(printable(name)) at \(entry["address"]?.string ?? "–")"
        }
    }

    private static func complaint(_ answer: JSONValue, _ timeout: String) -> String {
        if let error = answer["link_error"]?.string { return "this gateway's own link to the covey is down: \(error)" }
        let reasons = (answer["addresses"]?.elements ?? []).map { entry in
            "\(entry["address"]?.string ?? "–"): \(entry["error"]?.string ?? "nobody answered")"
        }
        return "nobody was joined in \(timeout); it is tried on. " + reasons.joined(separator: "; ")
    }
}
