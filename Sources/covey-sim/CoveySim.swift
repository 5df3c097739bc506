import ArgumentParser

@main
struct CoveySim: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "covey-sim",
        abstract: "Lives through whole sites of gateways in simulated time; one seed is one history.",
        subcommands: [
            RunCommand.self, ReplayCommand.self, ShrinkCommand.self, PlantedCommand.self, FiguresCommand.self,
            PowerLossCommand.self,
        ])
}
