import Simulator
import Testing

@Suite("Planted bugs")
struct PlantedTests {
    /// Those that show within a simulated minute; `covey-sim planted` plants all.
    private static let quick: [PlantedBug] = [
        .unsyncedCommit, .alteredReading, .emptyReceipt, .forgottenMarks, .skippedReading, .sameDice,
        .raisedIncarnation, .forgedMember, .repeatedUpload, .rottenBlock, .foreignGeometry, .earlyAcknowledgement,
        .lostCount,
        .oldMemory, .hastyClock,
    ]

    @Test("A property is broken by the bug that was planted for it", arguments: quick)
    func isCaught(bug: PlantedBug) {
        let caught = PlantedHunt.run(bug, seeds: 1...12)
        #expect(caught?.property == bug.property)
    }
}
