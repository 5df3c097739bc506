import Simulator
import Testing

@Suite("Planted bugs")
struct PlantedTests {
    @Test("Every property is caught breaking by a bug that was planted for it", arguments: PlantedBug.allCases)
    func isCaught(bug: PlantedBug) {
        let caught = PlantedHunt.run(bug, seeds: 1...12)
        #expect(caught?.property == bug.property)
    }
}
