import SupervisionCore
import Testing

struct PropertyTests {
    /// Never two live runs of a child but abandoned ones, stops last first, groups gone before they start again, no restart beyond the
    /// intensity, no sibling hurt under one_for_one, every stop ends: the world checks all of that at every directive.
    @Test func randomLivesKeepEveryRule() {
        for seed in UInt64(0)..<4000 {
            var world = World(seed: seed)
            world.live(steps: 120)
            #expect(world.faults.isEmpty, "seed \(seed): \(world.faults.prefix(3))")
            if !world.faults.isEmpty { return }
        }
    }

    @Test func theSameEventsGiveTheSameDirectives() {
        for seed in UInt64(0)..<200 {
            var (one, other) = (World(seed: seed), World(seed: seed))
            one.live(steps: 100)
            other.live(steps: 100)
            #expect(one.trace == other.trace, "seed \(seed)")
        }
    }

    @Test func randomLivesReachEveryKindOfEventAndBothEnds() {
        var seen: Set<String> = []
        for seed in UInt64(0)..<300 {
            var world = World(seed: seed)
            world.live(steps: 120)
            for directives in world.trace {
                for kind in directives.kinds {
                    seen.insert("\(kind)".split(separator: "(").first.map(String.init) ?? "")
                }
                if let outcome = directives.outcome { seen.insert(outcome == .stopped ? "end" : "failure") }
                if let refusal = directives.refusal {
                    seen.insert("\(refusal)".split(separator: " ").last.map(String.init) ?? "")
                }
            }
        }
        let wanted = [
            "started", "failed", "restarting", "finished", "stuck", "abandoned", "returned", "quarantined", "released",
            "stopped", "removed", "escalated", "end", "failure",
        ]
        #expect(wanted.filter { !seen.contains($0) } == [])
    }
}
