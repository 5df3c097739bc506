import Model
import TestKit
import Testing

@Suite("A covey whose network is cut", .serialized)
struct PartitionTests {
    @Test("Two halves that both reach the sink lose nothing, repeat what both had at most, and become one again")
    func halves() async throws {
        let lab = try await LabNetwork(4)
        let fleet = try await Fleet(4, acks: 2, network: lab)
        fleet.receiver.mode = .tooMany(retryAfter: "1")
        try await fleet.openSink()
        try await fleet.start()
        let load = fleet.load(rate: 40)
        try await until("there is something that both halves have") { fleet.acknowledged >= 1200 }
        try await lab.isolate([0, 1])
        // What comes from now on, one half has alone.
        let shared = fleet.acknowledged
        for (member, others) in zip(fleet.members, [[2, 3], [2, 3], [0, 1], [0, 1]]) {
            let names = Set(others.map { fleet.members[$0].name })
            try await until("\(member.name) has given up the other half") {
                Set(try await member.peers().filter { $0.state == "dead" }.map(\.name)) == names
            }
        }
        fleet.receiver.mode = .accept
        let taken = fleet.acknowledged
        try await fleet.waitForReadings(taken)
        for member in fleet.members {
            try await until("\(member.name) has brought what it held when the sink was away") {
                try await member.uploads().allSatisfy { $0.relayed.isEmpty && $0.pending < 200 }
            }
        }
        let apart = fleet.receiver.snapshot()
        // Both halves have brought all four logs. Within a half a log changes hands where its own gateway finds out later than the other
        // that the sink takes readings again.
        #expect(apart.brought.count == 4)
        var handOvers = 0
        for (log, bringers) in apart.brought {
            let halves = Set(bringers.keys.map { ["covey-gw0", "covey-gw1"].contains($0) })
            #expect(halves.count == 2, "\(log): \(bringers)")
            handOvers += bringers.count - halves.count
        }

        try await lab.heal()
        try await fleet.waitUntilMet()
        let healed = ContinuousClock.now
        try await fleet.waitUntilEachLogHasOneUploader()
        let took = ContinuousClock.now - healed
        let before = fleet.receiver.snapshot()
        try await until("there are new readings") { fleet.receiver.snapshot().readings >= before.readings + 800 }
        load.cancel()
        try await load.value
        let after = try await fleet.settle()
        for (log, bringers) in after.brought {
            let new = bringers.filter { $0.value > before.brought[log]?[$0.key] ?? 0 }
            #expect(new.count == 1, "one gateway uploads log \(log): \(new)")
        }
        #expect(after.duplicates == before.duplicates)
        // What both have, and four chunks for each time that a log changes hands.
        let handOver = Limits.chunksInFlight * Limits.chunkReadings
        #expect(apart.duplicates <= shared + handOvers * handOver)
        // Where the halves meet, each log is handed over.
        #expect(after.duplicates - apart.duplicates <= fleet.members.count * handOver)
        print("one uploader for each log \(took) after the healing")
        print(
            "\(shared) shared, \(after.readings) readings, \(apart.duplicates) and in the end \(after.duplicates) came again"
        )
        try await fleet.waitUntilAllHold(fleet.acknowledged)
        await fleet.end()
    }

    @Test("Who is heard by some only is dead to nobody, and its readings reach everyone")
    func oneWay() async throws {
        let lab = try await LabNetwork(4)
        let fleet = try await Fleet(4, acks: 2, network: lab)
        try await fleet.openSink()
        try await fleet.start()
        let watch = Watch(fleet)
        try await lab.cut(from: 1, to: 0)
        try await lab.cut(from: 2, to: 3)
        let load = fleet.load(rate: 40)
        // Longer than any suspicion lasts.
        try await until("time has passed") { fleet.acknowledged >= 4 * 40 * 26 }
        load.cancel()
        try await load.value
        try await fleet.waitUntilAllHold(fleet.acknowledged)
        let snapshot = try await fleet.settle()
        await watch.stop()
        #expect(watch.deaths == [])
        #expect(watch.looks.count == 4)
        // What a site that is heard by some only hands over, and gets back: twice four chunks.
        #expect(snapshot.duplicates <= 2 * 2 * Limits.chunksInFlight * Limits.chunkReadings)
        print("one way: \(snapshot.readings) readings, \(snapshot.duplicates) came again, \(watch.troubles)")
        await fleet.end()
    }

    @Test("Lossy, slow and long cables only take time: everything is copied and uploaded, and nobody dies")
    func lossy() async throws {
        let lab = try await LabNetwork(4)
        let fleet = try await Fleet(4, acks: 2, network: lab)
        try await fleet.openSink()
        try await fleet.start()
        let watch = Watch(fleet)
        try await lab.loss(30, port: fleet.members[0].port)
        try await lab.rate(1_000_000, at: 3)
        try await lab.delay(.milliseconds(30), jitter: .milliseconds(40), at: 2)
        let load = fleet.load(rate: 40)
        try await until("there was some load") { fleet.acknowledged >= 4 * 40 * 10 }
        load.cancel()
        try await load.value
        let clock = ContinuousClock.now
        try await fleet.waitForReadings(fleet.acknowledged)
        try await fleet.waitUntilAllHold(fleet.acknowledged)
        let took = ContinuousClock.now - clock
        let snapshot = try await fleet.settle()
        await watch.stop()
        #expect(watch.deaths == [])
        print(
            "30 % lost: \(snapshot.readings) readings, everywhere \(took) after the last, \(snapshot.duplicates) came again, \(watch.troubles)"
        )
        await fleet.end()
    }
}
