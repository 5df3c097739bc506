import ArgumentParser
import Model
import TOMLConfiguration

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Reads a configuration and prints every fault found, with line and column.",
        discussion: "Exits with 1 if there is one. Notes, which are no faults, go to standard error.")

    @Option(help: ArgumentHelp("The configuration to read.", valueName: "file"))
    var config: String

    @Flag(help: "Print the configuration with every default written out.")
    var show = false

    func run() throws {
        let output = Output()
        switch GatewayConfiguration.load(path: config) {
        case .failure(let faults):
            for line in faults.lines { try output.line(printable(line)) }
            try output.flush()
            throw ExitCode(Failure.Code.notWell.rawValue)
        case .success(let configuration):
            for note in configuration.notes { tell(note.text(path: config)) }
            try output.write(show ? configuration.describe() : "\(config): no faults\n")
            try output.flush()
        }
    }
}
