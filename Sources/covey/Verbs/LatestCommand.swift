import ArgumentParser
import Model

struct LatestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latest", abstract: "The newest reading of each series, and the trend of its last values.")

    @Argument(
        help: "Patterns over DEVICE/METRIC, or over DEVICE alone: * for any text, ? for one character. None means all.",
        completion: Completion.series)
    var globs: [String] = []

    @OptionGroup var daemon: DaemonOptions

    @Flag(help: "Print one JSON array of readings.")
    var json = false

    @Flag(help: "With --json: each reading's last values besides, oldest first, as \"history\".")
    var history = false

    func validate() throws {
        if history, !json { throw ValidationError("--history is for --json; the table has it as TREND") }
    }

    func run() throws {
        Progress.begin("waiting for the daemon")
        defer { Progress.end() }
        let output = Output()
        let bytes = try ask(withHistory: !json || history)
        guard let readings = JSONValue(bytes)?.elements else {
            throw Failure(.noDaemon, "what answers at the socket is no covey daemon")
        }
        if json {
            try output.write(bytes)
            try output.write("\n")
        } else if !readings.isEmpty {
            for line in ListText.latest(readings, now: .now).lines(.current) { try output.line(line) }
        }
        try output.flush()
        try noteUnknown(hasReadings: !readings.isEmpty)
    }

    /// A daemon of the version before knows no history; it is asked without.
    private func ask(withHistory: Bool) throws -> [UInt8] {
        guard withHistory else { return try daemon.client.get(target("/v1/latest", globs: globs)) }
        let most = [(name: "history", value: String(Limits.historyValues))]
        do {
            return try daemon.client.get(target("/v1/latest", globs: globs, most))
        } catch let failure as Failure where failure.code == .wrongCall && failure.message.contains("\"history\"") {
            return try ask(withHistory: false)
        }
    }

    /// A pattern without match is a wrong call where no pattern has one, else a remark.
    private func noteUnknown(hasReadings: Bool) throws {
        let complaints = globs.isEmpty ? [] : try KnownNames(daemon.client).complaints(about: globs)
        if !complaints.isEmpty, !hasReadings { throw Failure(.wrongCall, complaints.joined(separator: "; ")) }
        complaints.forEach(tell)
        if !json, !hasReadings { tell("no readings yet") }
    }
}
