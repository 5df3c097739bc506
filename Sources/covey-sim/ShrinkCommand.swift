import ArgumentParser
import Simulator

struct ShrinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shrink", abstract: "Makes a failing history as small as it still fails.")

    @Argument var seed: UInt64

    @OptionGroup var site: SiteArguments

    func run() throws {
        guard var shrinker = Shrinker(seed: seed, options: try site.options()) else {
            print("seed \(seed) breaks nothing")
            return
        }
        shrinker.shrink()
        print(shrinker.history.failures[0])
        print("after \(shrinker.tries) tries:")
        print(replayCommand(seed, shrinker.options))
    }
}
