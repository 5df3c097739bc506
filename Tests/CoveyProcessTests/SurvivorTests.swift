import Glibc
import TestKit
import Testing

@Suite("Gateways of a covey that lose their lives", .serialized)
struct SurvivorTests {
    /// Readings that one gateway takes while the sink is away; more by hand: `COVEY_BACKLOG=10000`.
    private static let backlog = getenv("COVEY_BACKLOG").flatMap { Int(String(cString: $0)) } ?? 2000

    @Test("The last survivor uploads every acknowledged reading of a gateway that is gone with its disk, once each")
    func lastSurvivor() async throws {
        let fleet = try await Fleet(3, acks: 3)
        try await fleet.start()
        let (first, second, last) = (fleet.members[0], fleet.members[1], fleet.members[2])
        try await first.publish(Self.backlog)
        #expect(first.publisher.acknowledged == Self.backlog)
        // The broker's word to the publisher is not yet the gateway's to the broker: that comes when three disks have the reading.
        for member in fleet.members {
            try await until("\(member.name) has all of it on its disk") {
                try await member.status().ring.readings >= Self.backlog
            }
        }
        try await until("the first knows that") {
            let status = try await first.status()
            return status.ledger.stored == Self.backlog && status.covey?.underReplicated.readings == 0
        }
        let origin = try await first.status().node

        await first.kill()
        first.removeDisk()
        await second.kill()
        #expect(fleet.receiver.snapshot().requests == 0)
        try await fleet.openSink()
        try await fleet.waitForReadings(Self.backlog)
        try await until("the survivor knows that") { try await last.status().pendingUploads == 0 }

        let (missing, doubled) = fleet.compare()
        #expect(missing == 0)
        #expect(doubled == 0)
        let snapshot = fleet.receiver.snapshot()
        #expect(snapshot.duplicates == 0)
        #expect(snapshot.readings == Self.backlog)
        #expect(snapshot.faults.isEmpty)
        // Under the name of the one that took them, by the one that is left.
        #expect(fleet.receiver.readings().allSatisfy { $0.node == origin })
        #expect(try await last.status().ledger.balances)
        #expect(last.process?.isRunning == true)
        await fleet.end()
    }
}
