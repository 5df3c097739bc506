import BenchmarkKit
import TestKit

/// What the ring does to a disk, beside SQLite, LMDB and RocksDB with the same readings in the same commits.
///
/// Usage: `store-benchmark append [COMMITS [RUNS]]`, `store-benchmark flash [HOURS]` or `store-benchmark rest [HOURS] [tuning] [ms] [alone]`
/// (`tuning`: the site that the format was tuned with; `ms`: stamps in whole milliseconds; `alone`: no other stores)
@main
struct Store {
    static func main() throws {
        let words = CommandLine.arguments.dropFirst()
        let numbers = words.compactMap { Int($0) }
        switch words.first {
        case "append": try Append(commits: numbers.first ?? 5000, runs: numbers.dropFirst().first ?? 3).run()
        case "flash":
            try Flash.run([1, 10, 100, 1000].map { Flash(rate: $0, hours: numbers.first ?? 1) })
        case "rest":
            var site: SensorSite.Parameters = words.contains("tuning") ? .tuning : .heldOut
            if words.contains("ms") { site.resolution = 1000 }
            try Rest(site: site, hours: numbers.first ?? 24).run(alone: words.contains("alone"))
        default:
            throw ChildFailure(
                description: "usage: store-benchmark append [COMMITS [RUNS]] | store-benchmark flash [HOURS] "
                    + "| store-benchmark rest [HOURS] [tuning] [ms] [alone]")
        }
    }
}
