import BenchmarkKit
import Glibc
import TestKit

/// What a gateway takes of its board: memory and CPU with 1,000 devices, the size of its program, and the time that
/// it needs to start.
///
/// Usage: `footprint-benchmark load [SECONDS]`, `footprint-benchmark start [RUNS]` or `footprint-benchmark rings [RUNS [MIB…]]`
@main
struct Footprint {
    static func main() async throws {
        let words = CommandLine.arguments.dropFirst()
        let number = words.dropFirst().first.flatMap { Int($0) }
        switch words.first {
        case "load": try await Load(seconds: number ?? 60).run()
        case "start": try await Start(runs: number ?? 3).run()
        case "rings":
            let sizes = words.dropFirst(2).compactMap { Int($0) }
            try await Rings(runs: number ?? 3, sizes: sizes.isEmpty ? [64, 1024] : sizes).run()
        default:
            throw ChildFailure(
                description: "usage: footprint-benchmark load [SECONDS] | footprint-benchmark start [RUNS] "
                    + "| footprint-benchmark rings [RUNS [MIB…]]")
        }
    }
}
