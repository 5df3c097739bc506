import FoundationEssentials
import Glibc
import Model
import TestKit
import Testing

@Suite("A covey with a gateway that is not quite there", .serialized)
struct StarvedTests {
    @Test("One that stands still, and one that gets a tenth of a processor, take nobody else for dead")
    func starved() async throws {
        let lab = try await LabNetwork(4)
        let fleet = try await Fleet(4, acks: 2, network: lab)
        try await fleet.openSink()
        try await fleet.start()
        let load = fleet.load(rate: 30)
        let victim = fleet.members[3]
        let watch = Watch(fleet)
        try await until("readings arrive from everywhere") { fleet.receiver.snapshot().byDevice.count == 4 }

        victim.process?.send(SIGSTOP)
        try await Task.sleep(for: .seconds(5))
        victim.process?.send(SIGCONT)
        try await fleet.waitUntilMet()
        let stood = watch.troubles
        #expect(stood.allSatisfy { $0.subject == victim.name || $0.state == "suspect" }, "\(stood)")

        let group = try ControlGroup()
        try group.limit(toPercent: 10)
        try group.add(try #require(victim.process).processID)
        let before = fleet.acknowledged
        // More than a suspicion lasts that others share.
        try await until("it was starved for long enough") { fleet.acknowledged >= before + 4 * 30 * 15 }
        group.release()
        try await fleet.waitUntilMet()
        load.cancel()
        try await load.value
        let snapshot = try await fleet.settle()
        await watch.stop()
        #expect(watch.deaths.allSatisfy { $0.subject == victim.name }, "\(watch.deaths)")
        #expect(watch.looks.count == 4, "\(watch.looks)")
        print("starved: \(snapshot.readings) readings, \(snapshot.duplicates) came again, \(watch.troubles)")
        await fleet.end()
    }

    @Test(
        "Gateways whose clocks are years behind and ahead join, are copied and uploaded, and come back with the right time"
    )
    func wrongClocks() async throws {
        let lab = try await LabNetwork(4)
        let fleet = try await Fleet(4, acks: 2, network: lab)
        try await fleet.openSink()
        let offsets = [2: "-5y", 3: "+7y"]
        for (index, member) in fleet.members.enumerated() {
            try await member.start(under: offsets[index].map(Self.clock) ?? [])
        }
        try await fleet.waitUntilMet()
        for member in fleet.members { try await member.publish(100, rate: 100) }
        try await fleet.waitUntilAllHold(400)
        _ = try await fleet.settle()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let years = fleet.members.map { member -> Int in
            let times = fleet.receiver.readings().filter { $0.device == member.device }.map(\.time)
            return Int((Double(times[0].rawValue) / 1000 - Double(now.tv_sec)) / (365 * 86_400) + 100.5) - 100
        }
        #expect(years == [0, 0, -5, 7], "the clocks were really wrong")

        for index in offsets.keys.sorted() {
            try await killUnderTool(fleet.members[index])
            try await fleet.members[index].start()
        }
        try await fleet.waitUntilMet()
        for member in fleet.members { try await member.publish(100, rate: 100) }
        try await fleet.waitUntilAllHold(800)
        let snapshot = try await fleet.settle()
        print("wrong clocks: \(snapshot.readings) readings, \(snapshot.duplicates) came again")
        await fleet.end()
    }

    /// Kills the gateway under the tool, which then tidies up and ends.
    private func killUnderTool(_ member: Member) async throws {
        let tool = try #require(member.process)
        let text = try String(
            contentsOfFile: "/proc/\(tool.processID)/task/\(tool.processID)/children", encoding: .utf8)
        let gateway = try #require(text.split(separator: " ").first.flatMap { pid_t($0) })
        #expect(kill(gateway, SIGKILL) == 0)
        _ = await tool.ending()
    }

    /// What a gateway is started under for another time; what counts seconds goes on as it is. The gateway ends with this tool, which is
    /// the process that signals are sent to. (The library alone changes the environment before Swift looks for its arguments beside it.)
    private static func clock(_ offset: String) -> [String] {
        ["/usr/bin/faketime", "-m", "--exclude-monotonic", "-f", offset, "/usr/bin/setpriv", "--pdeathsig", "KILL"]
    }
}
