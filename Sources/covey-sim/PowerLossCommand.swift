import ArgumentParser
import Glibc
import Simulator

struct PowerLossCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "power-loss",
        abstract: "Records what sites do to their disks, and starts on what a power cut at any moment would leave.")

    @Option(help: "Distinct crash images to start on.")
    var images = 100_000

    @Option(help: "The first seed; the following ones are taken until there are enough images.")
    var seed: UInt64 = 1

    @Option(help: "Sites at a time.")
    var jobs = 1

    @Option(help: "Random subsets of unsynced sectors for each write.")
    var variety = 48

    @OptionGroup var site: SiteArguments

    func validate() throws {
        guard images > 0, jobs > 0, variety >= 0 else { throw ValidationError("images and jobs are at least 1") }
    }

    func run() async throws {
        let options = try site.options()
        let clock = ContinuousClock()
        let start = clock.now
        let seen = SeenImages()
        var tally = PowerLoss.Tally()
        var broken = 0
        await withTaskGroup(of: (PowerLoss.Tally, UInt64, [Failure]).self) { group in
            var next = seed
            for _ in 0..<jobs {
                add(&next, to: &group, seen, options)
            }
            while let (part, seed, failures) = await group.next() {
                tally.add(part)
                for failure in part.failures {
                    print("\(failure.trace), moment \(failure.moment): \(failure.failure)")
                }
                fflush(nil)
                for failure in failures {
                    broken += 1
                    print("the site of seed \(seed) breaks \(failure)")
                }
                if isatty(STDERR_FILENO) == 1 {
                    tell("\r\(seen.count)/\(images) images, \(tally.failures.count) failed  ")
                }
                if seen.count < images, tally.failures.isEmpty { add(&next, to: &group, seen, options) }
            }
        }
        if isatty(STDERR_FILENO) == 1 { tell("\n") }
        printSummary(tally, (clock.now - start) / .seconds(1))
        if !tally.failures.isEmpty || broken > 0 { throw ExitCode(1) }
    }

    private func add(
        _ next: inout UInt64, to group: inout TaskGroup<(PowerLoss.Tally, UInt64, [Failure])>, _ seen: SeenImages,
        _ options: RunOptions
    ) {
        let (seed, images, variety) = (next, images, variety)
        next += 1
        group.addTask {
            var kit = PowerLoss(seen: seen)
            kit.wanted = images
            kit.variety = variety
            let failures = kit.live(seed: seed, options: options)
            return (kit.tally, seed, failures)
        }
    }

    private func printSummary(_ tally: PowerLoss.Tally, _ elapsed: Double) {
        print("recorded: \(tally.traces) disks, \(tally.writes) writes, \(tally.syncs) syncs")
        print(
            "started on \(tally.images) images, \(tally.distinct) of them distinct, in \(tenths(elapsed)) s "
                + "(\(Int(Double(tally.images) / max(elapsed, 0.001)))/s)")
        print("went on with a commit and one more start: \(tally.continued); started a whole core: \(tally.resumed)")
        print("failed: \(tally.failures.count)")
    }
}
