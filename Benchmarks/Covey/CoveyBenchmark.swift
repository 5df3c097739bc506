import BenchmarkKit
import TestKit

/// What a covey of real gateways does with readings: each gateway with its broker in a network namespace, and with a folder on a real disk.
///
/// Usage, as root: `covey-benchmark durable [SECONDS]`, `covey-benchmark takeover [KILLS [SIZE…]]` or
/// `covey-benchmark repair [READINGS…]`
@main
struct CoveyBenchmark {
    /// Where the gateways' folders are made: `/tmp` is often in memory.
    static let disk = "/var/tmp"

    static func main() async throws {
        let words = CommandLine.arguments.dropFirst()
        let numbers = words.compactMap { Int($0) }
        try requireDisk()
        switch words.first {
        case "durable": try await Durable(seconds: numbers.first ?? 10).run()
        case "takeover":
            let sizes = Array(numbers.dropFirst())
            try await Takeover(kills: numbers.first ?? 10, sizes: sizes.isEmpty ? [3, 5] : sizes).run()
        case "repair": try await Repair(amounts: numbers.isEmpty ? [36_000, 360_000] : numbers).run()
        default:
            throw ChildFailure(
                description: "usage: covey-benchmark durable [SECONDS] | takeover [KILLS [SIZE…]] | repair [READINGS…]")
        }
    }

    /// The kind of file system below ``disk``. A figure of a disk that is none would be worse than no figure.
    static let fileSystem: String = {
        var best = (path: "", kind: "unknown")
        for line in ((try? Files.read("/proc/self/mounts")) ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 2, disk == words[1] || words[1] == "/" || disk.hasPrefix(words[1] + "/") else {
                continue
            }
            if words[1].count >= best.path.count { best = (String(words[1]), String(words[2])) }
        }
        return best.kind
    }()

    private static func requireDisk() throws {
        guard fileSystem != "tmpfs" else {
            throw ChildFailure(description: "\(disk) is in memory: mount a real file system there")
        }
    }
}
