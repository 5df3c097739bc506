import ArgumentParser
import Simulator

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Runs the history of one seed, and says what it broke.")

    @Argument var seed: UInt64

    @Flag(help: "Print what happens.")
    var trace = false

    @OptionGroup var site: SiteArguments

    func run() throws {
        let options = try site.options()
        let history = History.run(seed: seed, options: options, tracer: trace ? { print($0) } : nil)
        for failure in history.failures { print(failure) }
        print("\(history.gateways) gateways, \(history.events) events in \(simulatedText(history.simulated))")
        print("trace \(String(history.trace, radix: 16))")
        if !history.failures.isEmpty { throw ExitCode(1) }
    }
}
