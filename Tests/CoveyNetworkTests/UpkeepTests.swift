import Glibc
import TestKit
import Testing

@Suite("A covey that is looked after while it works", .serialized)
struct UpkeepTests {
    @Test(
        "Its key is changed by hand and every gateway is restarted in turn, and neither its readings nor its peers notice"
    )
    func rotationAndRollingRestart() async throws {
        let lab = try await LabNetwork(4)
        let fleet = try await Fleet(4, acks: 2, network: lab)
        try await fleet.openSink()
        try await fleet.start()
        let load = fleet.load(rate: 40)
        try await until("readings arrive from everywhere") { fleet.receiver.snapshot().byDevice.count == 4 }
        let watch = Watch(fleet)

        let old = try text(of: fleet.keyFile)
        try await Fleet.makeKey(at: "\(fleet.directory)/new")
        let new = try text(of: "\(fleet.directory)/new")
        // Install, use, remove.
        for (step, keys) in [old + new, new + old, new].enumerated() {
            for member in fleet.members {
                try MosquittoBroker.write(keys, to: member.keyFile)
                member.process?.send(SIGHUP)
                let word = "the covey's keys are other ones, \(step == 2 ? 1 : 2) of them"
                try await until("\(member.name) has taken step \(step)", within: .seconds(20)) {
                    (member.process?.log ?? []).count { $0.contains(word) } == (step == 1 ? 2 : 1)
                }
            }
        }
        let rotated = fleet.acknowledged
        try await fleet.waitForReadings(rotated)
        #expect(watch.deaths == [])

        // Streams that stand keep their keys; those that are opened from now on have the new one alone.
        var pauses: [Duration] = []
        for member in fleet.members {
            let start = ContinuousClock.now
            #expect(await member.process?.terminate() == .exited(0), "\(member.process?.log.suffix(5) ?? [])")
            try await member.start()
            pauses.append(ContinuousClock.now - start)
            try await fleet.waitUntilMet()
        }
        let restarted = fleet.acknowledged
        try await fleet.waitForReadings(restarted)
        load.cancel()
        try await load.value
        let snapshot = try await fleet.settle()
        try await fleet.waitUntilAllHold(fleet.acknowledged)
        await watch.stop()
        #expect(watch.deaths == [])
        #expect(watch.looks.values.allSatisfy { $0 > 5 }, "\(watch.looks)")
        let silences = fleet.members.map { watch.silence(of: $0.device) }
        // A restart, its reconnection, and the linger of a batch.
        for silence in silences { #expect(silence < .seconds(10)) }
        for member in fleet.members {
            let refused = try await member.status().covey?.link?.refused.filter { $0.key != "streams that broke" }
            #expect(refused == [:], "\(member.name)")
        }
        print("upkeep: \(snapshot.readings) readings, \(snapshot.duplicates) came again; restarts took \(pauses),")
        print("the sink heard nothing from a site for \(silences) at most; \(watch.troubles)")
        await fleet.end()
    }

    @Test("A gateway that is told to end while a peer is cut off ends within its time, and in order")
    func endsWhileCutOff() async throws {
        let lab = try await LabNetwork(2)
        let fleet = try await Fleet(2, acks: 2, network: lab)
        try await fleet.openSink()
        try await fleet.start()
        for member in fleet.members { try await member.publish(50) }
        // By streams, both ways.
        try await fleet.waitUntilAllHold(100)
        try await lab.cut(0, 1)
        let one = fleet.members[0]
        #expect(await one.process?.terminate() == .exited(0))
        let log = one.process?.log ?? []
        #expect(log.contains { $0.contains("notice stopped") })
        #expect(!log.contains { $0.contains("abandoned") }, "\(log.suffix(5))")
        await fleet.end()
    }

    private func text(of file: String) throws -> String {
        guard let open = fopen(file, "r") else { throw Late(description: "no \(file)") }
        defer { fclose(open) }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = fread(&buffer, 1, buffer.count, open)
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
