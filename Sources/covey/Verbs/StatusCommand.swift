import ArgumentParser
import Model

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "How the gateway is: health, loss ledger, sinks, ring and supervision tree.",
        discussion: "Exits with 1 while the gateway's health is degraded or failed.")

    @OptionGroup var daemon: DaemonOptions

    @Flag(help: "Print the daemon's own JSON object.")
    var json = false

    func run() throws {
        Progress.begin("waiting for the daemon")
        let bytes = try daemon.client.get("/v1/status")
        Progress.end()
        guard let status = JSONValue(bytes) else {
            throw Failure(.noDaemon, "what answers at the socket is no covey daemon")
        }
        let output = Output()
        if json {
            try output.write(bytes)
            try output.write("\n")
        } else {
            for line in StatusText.lines(status, .current, now: .now) { try output.line(line) }
        }
        try output.flush()
        let health = status["health"]?.string
        if health == "degraded" || health == "failed" { throw ExitCode(Failure.Code.notWell.rawValue) }
    }
}
