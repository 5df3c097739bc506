import ArgumentParser
import Gateway
import Model
import RingLog
import TOMLConfiguration

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Reads a configuration and prints every fault found, with line and column.",
        discussion: "Exits with 1 if there is one. Notes, which are no faults, go to standard error.")

    @Option(
        help: ArgumentHelp("The configuration to read.", valueName: "file"), completion: .file(extensions: ["toml"]))
    var config: String

    @Flag(help: "Print the configuration with every default written out.")
    var show = false

    func run() throws {
        let output = Output()
        switch GatewayConfiguration.load(path: config, inspect: { Gateway.inspect($0) }) {
        case .failure(let faults):
            for line in faults.lines { try output.line(printable(line)) }
            try output.flush()
            throw ExitCode(Failure.Code.notWell.rawValue)
        case .success(let configuration):
            for note in configuration.notes { tell(note.text(path: config)) }
            if show {
                try output.write(configuration.describe())
            } else {
                try output.line("\(config): no faults")
                for line in Self.capacity(configuration.storage.ringSize) { try output.line(line) }
            }
            try output.flush()
        }
    }

    /// How long an outage of the sinks the ring outlasts, at some rates.
    private static func capacity(_ ring: ByteCount) -> [String] {
        ["a ring of \(ring) holds what comes in while nothing can be uploaded, for about"]
            + [1, 10, 100, 1000].map { rate in
                let hours = RingCapacity.hours(ringBytes: Int(ring.rawValue), readingsPerSecond: Double(rate))
                return "  \(Int(hours.rounded())) h at \(rate) reading\(rate == 1 ? "" : "s") per second"
            }
    }
}
