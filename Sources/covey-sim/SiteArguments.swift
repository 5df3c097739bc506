import ArgumentParser
import Simulator

/// What a history may be told beyond its seed.
struct SiteArguments: ParsableArguments {
    @Option(help: "Gateways of the site; the seed draws 1 to 9.")
    var gateways: Int?

    @Option(help: "Length of the bad days in simulated minutes; the seed draws it.")
    var minutes: Int64?

    @Option(help: "The same in seconds.")
    var seconds: Int64?

    @Option(help: "How many times more slowly than at the fastest, 50 a second and gateway, readings come.")
    var pace: Int64?

    @Option(help: "Only these kinds of faults, with commas between, or none.")
    var only: String?

    @Option(help: "All that the seed draws but these kinds of faults.")
    var without: String?

    @Option(help: "Plant this bug.")
    var bug: String?

    @Flag(help: "Check everything after every step: slower, and names the very step.")
    var everyStep = false

    func options() throws -> RunOptions {
        var options = RunOptions()
        if let gateways {
            guard (1...16).contains(gateways) else { throw ValidationError("a site has 1 to 16 gateways") }
            options.gateways = gateways
        }
        if let pace {
            guard (1...1000).contains(pace) else { throw ValidationError("a pace is 1 to 1000") }
            options.pace = pace
        }
        options.seconds = seconds ?? minutes.map { $0 * 60 }
        if let only { options.only = try faults(only) }
        if let without { options.without = try faults(without) }
        if let bug {
            guard let planted = PlantedBug(rawValue: bug) else { throw ValidationError("no such bug: \(bug)") }
            options.bug = planted
        }
        options.checksEveryStep = everyStep
        return options
    }

    private func faults(_ names: String) throws -> FaultSet {
        guard let set = FaultSet(names: names) else {
            let known = FaultKind.allCases.map(\.name).joined(separator: ", ")
            throw ValidationError("unknown kind of fault in \(names); known are \(known)")
        }
        return set
    }
}
