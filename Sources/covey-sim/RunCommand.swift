import ArgumentParser
import Simulator

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs the histories of many seeds.")

    @Option(help: "The first and the last seed: 1..100.")
    var seeds: SeedRange

    @Option(help: "Histories at a time.")
    var jobs = 1

    @Flag(help: "Begin no further history after the first that fails.")
    var stop = false

    @Flag(help: "Print one JSON object at the end, and nothing else.")
    var json = false

    @OptionGroup var site: SiteArguments

    func run() async throws {
        let options = try site.options()
        let clock = ContinuousClock()
        let start = clock.now
        var tally = Tally()
        let progress = Progress(total: seeds.count, isQuiet: json)
        await withTaskGroup(of: History.self) { group in
            var next = seeds.first
            var early: [UInt64: History] = [:]
            var due = seeds.first
            let addTask = { (group: inout TaskGroup<History>, seed: UInt64) in
                group.addTask { History.run(seed: seed, options: options) }
            }
            while next <= seeds.last, next - seeds.first < UInt64(max(1, jobs)) {
                addTask(&group, next)
                next += 1
            }
            while let history = await group.next() {
                // In the order of their seeds, whoever came first.
                early[history.seed] = history
                while let history = early.removeValue(forKey: due) {
                    due += 1
                    tally.add(history)
                    progress.show(history, tally, elapsed: seconds(clock.now - start), options: options)
                }
                if next <= seeds.last, !stop || tally.failed.isEmpty {
                    addTask(&group, next)
                    next += 1
                }
            }
        }
        let elapsed = seconds(clock.now - start)
        json ? printJSON(tally, elapsed, options) : printSummary(tally, elapsed)
        if !tally.failed.isEmpty { throw ExitCode(1) }
    }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}

/// `1..100`, or a single seed.
struct SeedRange: ExpressibleByArgument {
    let first: UInt64
    let last: UInt64
    var count: Int { Int(last - first) + 1 }

    init?(argument: String) {
        let ends = argument.split(separator: ".", omittingEmptySubsequences: true).compactMap { UInt64($0) }
        guard let first = ends.first, let last = ends.last, ends.count <= 2, first <= last, last < .max else {
            return nil
        }
        (self.first, self.last) = (first, last)
    }
}
