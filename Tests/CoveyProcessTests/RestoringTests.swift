import Glibc
import TestKit
import Testing

/// Cards that forget. The blocks are spoilt in the ring's file under the running gateway, which then reads what a card would give it.
@Suite("A ring with damaged blocks", .serialized)
struct RestoringTests {
    private static let scrubbing = ["scrub_interval = \"4 s\""]
    private static let unscrubbed = ["scrub_interval = \"off\""]

    /// Has one gateway take readings in many blocks: some more come only when the last are stored.
    private func fill(_ member: Member) async throws {
        for round in 1...60 {
            try await member.publish(50)
            try await until("\(member.name) has stored what came") {
                try await member.status().ledger.stored == round * 50
            }
        }
    }

    /// The first of some gateways has 3000 readings, and its peers have copies of them.
    private func filled(_ count: Int, storage: [String]) async throws -> (fleet: Fleet, first: Member) {
        let fleet = try await Fleet(count, storage: storage)
        try await fleet.start()
        let first = fleet.members[0]
        try await fill(first)
        for peer in fleet.members.dropFirst() {
            try await until("\(peer.name) holds copies") { try await peer.status().ring.readings >= 3000 }
        }
        return (fleet, first)
    }

    /// Once nobody else is left, it tells each of its readings once.
    private func expectAllFromItsOwnDisk(_ first: Member, of fleet: Fleet) async throws {
        for peer in fleet.members.dropFirst() { await peer.kill() }
        let asked = try first.ask(["query", first.device, "--format", "csv"])
        #expect(await asked.ending() == .exited(0))
        let rows = asked.log.filter { $0.contains(first.device) && !$0.hasPrefix("covey: ") }
        #expect(rows.count == 3000 && Set(rows).count == 3000)
    }

    /// All but `lost` of its readings reach the sink, once each, and both equations of its ledger hold.
    private func expectTheRestUploaded(_ first: Member, of fleet: Fleet, lost: Int = 0) async throws {
        try await fleet.openSink()
        try await fleet.waitForReadings(3000 - lost)
        try await until("all is uploaded") { try await first.status().pendingUploads == 0 }
        let ledger = try await first.status().ledger
        #expect(ledger.balances && ledger.balanced)
        #expect(ledger.sinks["cloud"]?.damaged == lost && ledger.sinks["cloud"]?.uploaded == 3000 - lost)
        #expect(fleet.compare() == (lost, 0))
    }

    @Test("is whole again without a hand on it where peers hold what it lost, and every reading comes once")
    func inACovey() async throws {
        let (fleet, first) = try await filled(3, storage: Self.scrubbing)
        let ring = try RingFile(of: first)
        let blocks = try ring.blocks()
        #expect(blocks.count > 60)
        try ring.spoil(every: 20, of: blocks.dropFirst(10))
        try await until("all that was found damaged has come back") {
            let ring = try await first.status().ring
            return ring.restored > 0 && ring.lost == 0
        }
        // The same where a start meets the damage.
        await first.kill()
        try ring.spoil(every: 20, of: blocks.dropFirst(15))
        try await first.start()
        try await until("all that the start found damaged has come back") {
            let ring = try await first.status().ring
            return ring.restored > 0 && ring.lost == 0
        }

        try await expectAllFromItsOwnDisk(first, of: fleet)
        try await expectTheRestUploaded(first, of: fleet)
        await fleet.end()
    }

    /// What a verb says of the ring of a gateway that does not run.
    private func repairStopped(_ member: Member) async throws -> (ending: ChildProcess.Ending, log: [String]) {
        let asked = try ChildProcess(Site.program, ["ring", "repair", "--data-dir", member.dataDirectory])
        return (await asked.ending(), asked.log)
    }

    @Test("is whole again after one order, also after it was repaired while the gateway did not run")
    func ordered() async throws {
        let (fleet, first) = try await filled(3, storage: Self.unscrubbed)
        let ring = try RingFile(of: first)
        let blocks = try ring.blocks()
        try ring.spoil(every: 20, of: blocks.dropFirst(10))
        #expect(try await repairStopped(first).ending == .exited(2), "a gateway runs there")
        let ordered = try first.ask(["ring", "repair"])
        #expect(await ordered.ending() == .exited(0), "\(ordered.log)")
        #expect(ordered.log.contains { $0.hasSuffix("have come back from peers") }, "\(ordered.log)")
        #expect(ordered.log.last == "nothing is missing")
        var status = try await first.status().ring
        #expect(status.restored > 0 && status.lost == 0)

        // What a start alone would not see in finished segments is written down while it does not run.
        await first.kill()
        try ring.spoil(every: 20, of: blocks.dropFirst(15))
        let stopped = try await repairStopped(first)
        #expect(stopped.ending == .exited(1), "\(stopped.log)")
        #expect(stopped.log.contains { $0.hasPrefix("written down: ") }, "\(stopped.log)")
        try await first.start()
        let again = try first.ask(["ring", "repair"])
        #expect(await again.ending() == .exited(0), "\(again.log)")
        status = try await first.status().ring
        #expect(status.lost == 0)

        try await expectAllFromItsOwnDisk(first, of: fleet)
        try await expectTheRestUploaded(first, of: fleet)
        await fleet.end()
    }

    @Test("of a gateway alone is read on an order, or while it is stopped, and its ledger balances")
    func orderedAlone() async throws {
        let (fleet, first) = try await filled(1, storage: Self.unscrubbed)
        let ring = try RingFile(of: first)
        let blocks = try ring.blocks()
        try ring.spoil(every: 20, of: blocks.dropFirst(10))
        let ordered = try first.ask(["ring", "repair", "--wait", "1 s"])
        #expect(await ordered.ending() == .exited(1), "\(ordered.log)")
        let lost = try await first.status().ring.lost
        #expect(lost > 0 && ordered.log.last == "\(lost) readings are missing because of damage", "\(ordered.log)")
        await first.kill()
        try ring.spoil(every: 20, of: blocks.dropFirst(15))
        let stopped = try await repairStopped(first)
        #expect(stopped.ending == .exited(1), "\(stopped.log)")
        try await first.start()
        let all = try await first.status().ring.lost
        #expect(all > lost && stopped.log.contains("\(all) readings are missing because of damage"), "\(stopped.log)")
        try await expectTheRestUploaded(first, of: fleet, lost: all)
        await fleet.end()
    }

    @Test("of a gateway alone names its gaps, and its ledger balances")
    func alone() async throws {
        let (fleet, first) = try await filled(1, storage: Self.scrubbing)
        let ring = try RingFile(of: first)
        try ring.spoil(every: 20, of: try ring.blocks().dropFirst(10))
        // Two passes, and no more than it had lost after the first.
        let before = try await first.status().ring.scrub?.passes ?? 0
        try await until("the ring was read twice") { try await first.status().ring.scrub?.passes ?? 0 >= before + 2 }
        let lost = try await first.status().ring.lost
        #expect(lost > 0)
        let info = try first.ask(["ring", "info"])
        #expect(await info.ending() == .exited(0))
        #expect(info.log.contains { $0.contains("damaged") }, "\(info.log)")
        try await expectTheRestUploaded(first, of: fleet, lost: lost)
        let status = try await first.status()
        #expect(status.health == "degraded" || status.health == "ok", "\(status.reasons)")
        await fleet.end()
    }
}

/// A gateway's ring, as anything but Covey sees it: a file of segments of 4 MiB in units of 4 KiB.
private struct RingFile {
    private static let unit = 4096
    private static let segment = 4 << 20
    /// What a block begins with.
    private static let magic: [UInt8] = [0x43, 0x76, 0x42, 0x31]

    let path: String

    init(of member: Member) throws {
        path = member.dataDirectory + "/ring"
        guard access(path, R_OK | W_OK) == 0 else { throw ChildFailure(description: "there is no ring at \(path)") }
    }

    /// Where blocks begin.
    func blocks() throws -> [Int] {
        let file = open(path, O_RDONLY)
        defer { close(file) }
        var found: [Int] = []
        var start = [UInt8](repeating: 0, count: Self.magic.count)
        var position = 0
        while pread(file, &start, start.count, off_t(position)) == start.count {
            if start == Self.magic, !position.isMultiple(of: Self.segment) { found.append(position) }
            position += Self.unit
        }
        return found
    }

    func spoil(every step: Int, of blocks: ArraySlice<Int>) throws {
        for index in stride(from: blocks.startIndex, to: blocks.endIndex, by: step) { try spoil(blocks[index]) }
    }

    /// Turns over some bits in the middle of a block's first unit.
    private func spoil(_ position: Int) throws {
        let file = open(path, O_RDWR)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 16)
        let place = off_t(position + 100)
        guard pread(file, &bytes, bytes.count, place) == bytes.count else {
            throw ChildFailure(description: "\(path) cannot be read at \(place)")
        }
        for index in bytes.indices { bytes[index] ^= 0x5A }
        guard pwrite(file, bytes, bytes.count, place) == bytes.count else {
            throw ChildFailure(description: "\(path) cannot be written at \(place)")
        }
    }
}
