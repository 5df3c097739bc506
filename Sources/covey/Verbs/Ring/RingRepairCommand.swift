import ArgumentParser
import Model

struct RingRepairCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Read all of a ring, name what is gone, and have peers bring it back.",
        discussion: """
            Asks the running gateway: it reads every segment while it works, and fetches what it finds damaged from the \
            gateways of its covey that hold copies; Ctrl-C ends only the watching. With --data-dir the ring of a stopped \
            gateway is read, and what is gone is written down, so that the next start knows it and peers bring it back \
            then. A ring that is whole is not written to. Exits with 1 where readings are missing at the end.
            """)

    @Option(
        help: ArgumentHelp("Repair the ring in this data_dir, while no gateway runs on it.", valueName: "dir"),
        completion: .directory)
    var dataDir: String?

    @Option(
        help: ArgumentHelp(
            "How long to wait for peers while nothing comes back (default: 1 min).", valueName: "time"))
    var wait: String?

    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard dataDir != nil else { return }
        if daemon.socket != nil { throw ValidationError("--data-dir asks no daemon: leave out --socket") }
        if wait != nil { throw ValidationError("a stopped gateway's peers are not asked: leave out --wait") }
    }

    func run() throws {
        defer { Progress.end() }
        let isWhole: Bool
        if let dataDir {
            var repair = try StoppedRepair(directory: dataDir)
            isWhole = try repair.run()
        } else {
            let wait = wait ?? "1 min"
            guard let patience = Duration(text: wait) else {
                throw Failure(.wrongCall, "--wait \"\(wait)\" is no time; write 30s or 2 min")
            }
            isWhole = try LiveRepair(client: daemon.client, patience: patience).run()
        }
        if !isWhole { throw ExitCode(Failure.Code.notWell.rawValue) }
    }
}

/// Readings of one log that damage has taken and that are not back.
struct MissingReadings {
    let log: String
    let first: Int64
    let count: Int64

    /// Lines for so many of them; `ring info` tells the rest.
    private static let mostLines = 16

    /// One line for each, and one for all of them.
    static func lines(_ missing: [MissingReadings]) -> [String] {
        var lines = missing.prefix(mostLines).map {
            "missing: \($0.count) reading\($0.count == 1 ? "" : "s") of log \($0.log), from offset \($0.first) on"
        }
        let more = missing.count - mostLines
        if more > 0 { lines.append("and \(more) range\(more == 1 ? "" : "s") more: covey ring info --json") }
        let count = missing.reduce(0) { $0 &+ $1.count }
        guard count > 0 else { return lines + ["nothing is missing"] }
        return lines + ["\(count) reading\(count == 1 ? " is" : "s are") missing because of damage"]
    }

    /// Of other gateways' readings: absence here is no loss.
    static func copies(_ count: Int) -> String {
        "\(count) cop\(count == 1 ? "y" : "ies") of other gateways' readings gone; made anew where one is due"
    }
}
