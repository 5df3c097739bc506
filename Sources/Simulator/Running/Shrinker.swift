/// Makes a failing history smaller while it still breaks the same property: fewer gateways, fewer kinds of faults, fewer bad days.
package struct Shrinker {
    package let seed: UInt64
    package private(set) var options: RunOptions
    package private(set) var history: History
    /// Histories tried.
    package private(set) var tries = 0

    /// `nil` where the history breaks nothing.
    package init?(seed: UInt64, options: RunOptions) {
        self.seed = seed
        self.options = options
        history = History.run(seed: seed, options: options)
        guard !history.failures.isEmpty else { return nil }
    }

    package var property: Property { history.failures[0].property }

    package mutating func shrink() {
        cutTime()
        for gateways in 1..<max(1, history.gateways) {
            var fewer = options
            fewer.gateways = gateways
            if accepts(fewer) { break }
        }
        dropFaults()
        cutTime()
    }

    /// What happens behind the failure is of no use; and where the failure came after healing, a shorter night may do.
    private mutating func cutTime() {
        var seconds = min(history.failures[0].at / SimulatedTime.second + 1, options.seconds ?? .max)
        for _ in 0..<8 {
            var shorter = options
            shorter.seconds = seconds
            if accepts(shorter) {
                seconds = max(1, seconds / 2)
            } else {
                guard let known = options.seconds, seconds < known - 1 else { return }
                seconds = (seconds + known) / 2
            }
        }
    }

    private mutating func dropFaults() {
        for kind in FaultKind.allCases {
            var fewer = options
            if fewer.only != nil {
                guard fewer.only?.contains(kind) ?? false else { continue }
                fewer.only?.remove(kind)
            } else {
                var set = Scenario(seed: seed, options: options).faults
                guard set.contains(kind) else { continue }
                set.remove(kind)
                fewer.only = set
                fewer.without = FaultSet()
            }
            _ = accepts(fewer)
        }
    }

    private mutating func accepts(_ candidate: RunOptions) -> Bool {
        tries += 1
        let shorter = History.run(seed: seed, options: candidate)
        guard shorter.failures.contains(where: { $0.property == property }) else { return false }
        options = candidate
        history = shorter
        return true
    }
}
