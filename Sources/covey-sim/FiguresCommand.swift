import ArgumentParser
import Simulator

struct FiguresCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "figures", abstract: "Measures coveys of several sizes in simulated time, and prints a table.")

    @Option(help: "Sizes of the coveys, with commas between.")
    var gateways = "3,10,32,64,200,1000"

    @Option(help: "The seed of all chance.")
    var seed: UInt64 = 1

    @Flag(help: "Print one JSON object for each size instead of the table.")
    var json = false

    @Flag(help: "Say on the standard error what is being done.")
    var verbose = false

    func run() throws {
        let sizes = gateways.split(separator: ",").compactMap { Int($0) }
        guard !sizes.isEmpty, sizes.allSatisfy({ (2...4000).contains($0) }) else {
            throw ValidationError("sizes are 2 to 4000, with commas between")
        }
        if !json { print(FigureText.head) }
        for size in sizes {
            var plan = FigurePlan(gateways: size)
            plan.seed = seed
            let clock = ContinuousClock()
            let start = clock.now
            let row = Figures.measure(gateways: size, plan: plan) { text in
                if verbose { tell("\(size): \(text)\n") }
            }
            let passed = clock.now - start
            let elapsed = Double(passed.components.seconds) + Double(passed.components.attoseconds) / 1e18
            print(json ? FigureText.json(row, elapsed) : FigureText.line(row, elapsed))
        }
    }
}
