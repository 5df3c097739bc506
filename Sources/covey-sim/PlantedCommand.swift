import ArgumentParser
import Simulator

struct PlantedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "planted", abstract: "Plants every known bug and says which property caught it.")

    @Option(help: "Seeds to try for each bug.")
    var seeds: UInt64 = 40

    func run() throws {
        var escaped = 0
        for bug in PlantedBug.allCases {
            let catches = PlantedHunt.run(bug, seeds: 1...seeds)
            let name = bug.rawValue + String(repeating: " ", count: max(1, 28 - bug.rawValue.count))
            guard let caught = catches else {
                escaped += 1
                print("\(name)ESCAPED after \(seeds) seeds")
                continue
            }
            print("\(name)\(caught.property.name) after \(caught.tries) seeds (seed \(caught.seed))")
        }
        if escaped > 0 { throw ExitCode(1) }
    }
}
