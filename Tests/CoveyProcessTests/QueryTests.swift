import Glibc
import TestKit
import Testing

@Suite("A query on any gateway", .serialized)
struct QueryTests {
    /// The offsets by device and number, as `--format csv` prints them.
    private func lines(of asked: ChildProcess) -> [String] {
        asked.log.filter { $0.contains("boilerroom") && !$0.hasPrefix("covey: ") }
    }

    @Test("tells what others hold, each reading once, and names what a stopped gateway has within the time it may take")
    func elsewhere() async throws {
        let fleet = try await Fleet(3) { _, _ in ["replicas = 1"] }
        try await fleet.start()
        let (one, two, three) = (fleet.members[0], fleet.members[1], fleet.members[2])
        try await one.publish(1500)
        try await two.publish(400)
        for (member, count) in [(one, 1500), (two, 400)] {
            try await until("\(member.name) has stored all") { try await member.status().ring.readings >= count }
        }
        try await until("\(three.name) tells all of them") {
            let asked = try three.ask(["query", "--format", "csv"])
            #expect(await asked.ending() == .exited(0))
            return lines(of: asked).count >= 1900 && !asked.log.contains { $0.contains("partial") }
        }
        let asked = try three.ask(["query", "--format", "csv"])
        #expect(await asked.ending() == .exited(0))
        let rows = lines(of: asked)
        #expect(rows.count == 1900 && Set(rows).count == 1900)
        #expect(try await three.status().ring.readings == 0)

        let newest = try three.ask(["query", "--format", "csv", "--gateway", one.name, "--limit", "7"])
        #expect(await newest.ending() == .exited(0))
        #expect(lines(of: newest) == rows.filter { $0.contains(one.device) }.suffix(7))
        let nobody = try three.ask(["query", "--gateway", "nobody"])
        #expect(await nobody.ending() == .exited(2), "\(nobody.log)")

        one.process?.send(SIGSTOP)
        let began = ContinuousClock.now
        let partial = try three.ask(["query", "--format", "csv"])
        #expect(await partial.ending() == .exited(0))
        #expect(ContinuousClock.now - began < .seconds(6))
        #expect(lines(of: partial) == rows.filter { $0.contains(two.device) })
        let note = try #require(
            partial.log.first { $0.contains("the answer may be partial: 1500 readings of \(one.name)") })
        #expect(note.contains("held by \(one.name) (gave no answer in time)"), "\(note)")
        one.process?.send(SIGCONT)
        try await until("\(three.name) tells all of them again") {
            let asked = try three.ask(["query", "--format", "csv"])
            #expect(await asked.ending() == .exited(0))
            return lines(of: asked) == rows
        }
        await fleet.end()
    }
}
