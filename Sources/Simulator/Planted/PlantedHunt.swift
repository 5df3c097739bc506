/// Looks for the first seed in which a planted bug shows.
package struct PlantedHunt: Sendable {
    package let property: Property
    package let seed: UInt64
    package let tries: Int

    /// `nil` where no seed shows it.
    package static func run(_ bug: PlantedBug, seeds: ClosedRange<UInt64>) -> PlantedHunt? {
        var tries = 0
        for seed in seeds {
            tries += 1
            var options = RunOptions()
            options.bug = bug
            options.gateways = bug.gateways
            if let failure = History.run(seed: seed, options: options).failures.first {
                return PlantedHunt(property: failure.property, seed: seed, tries: tries)
            }
        }
        return nil
    }
}
