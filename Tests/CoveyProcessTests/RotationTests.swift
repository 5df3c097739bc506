import Glibc
import TestKit
import Testing

@Suite("The key of a running covey", .serialized)
struct RotationTests {
    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    private func waitForOneKey(_ members: [Member], besides old: String) async throws {
        for member in members {
            try await until("\(member.name) knows one key, a new one") {
                let key = try await member.status().covey?.key
                return key?.known == 1 && key?.change?.stage == "done" && key?.id != old
            }
        }
        var ids: Set<String> = []
        for member in members { ids.insert(try await member.status().covey?.key?.id ?? "") }
        #expect(ids.count == 1)
    }

    @Test(
        "is changed under load from one gateway: nobody is seen dead, nothing is refused, and the old key is a stranger's"
    )
    func underLoad() async throws {
        let fleet = try await Fleet(4)
        try await fleet.openSink()
        let (covey, stranger) = (Array(fleet.members.prefix(3)), fleet.members[3])
        for member in covey { try await member.start() }
        for member in covey {
            try await until("\(member.name) knows the others") { try await member.status().alivePeers.count == 2 }
        }
        let old = try #require(try await covey[0].status().covey?.key?.id)
        let begun = ContinuousClock.now
        let loading = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for member in covey { group.addTask { try await member.publish(2400, rate: 100) } }
                try await group.waitForAll()
            }
        }
        try await until("there is load") { fleet.acknowledged > 60 }
        let rotation = try covey[1].ask(["key", "rotate"])
        #expect(await rotation.ending() == .exited(0), "\(rotation.log)")
        #expect(rotation.log.contains { $0.contains("no other is known any more") })
        try await waitForOneKey(covey, besides: old)
        let seconds = Int(begun.duration(to: .now).components.seconds)
        #expect(fleet.acknowledged < 3 * 2400, "the load was over before the key was changed")
        for member in covey {
            let status = try await member.status()
            // Whoever was suspect for a moment would be in his state for a shorter time.
            #expect(status.alivePeers.count == 2 && status.alivePeers.allSatisfy { $0.since >= seconds - 1 })
            #expect(status.covey?.link?.refused == [:], "\(member.name)")
            #expect(status.covey?.ignored == [:])
            #expect(mode(member.keyCopy) == 0o600)
        }
        try await loading.value
        try await fleet.waitForReadings(3 * 2400)
        #expect(fleet.compare() == (0, 0))

        // A start finds the new key, though the key file has the old one; who has that alone stays outside.
        await covey[0].kill()
        try await covey[0].start()
        try await stranger.start()
        for member in covey {
            try await until("\(member.name) knows the others") { try await member.status().alivePeers.count == 2 }
        }
        try await until("the stranger is refused") {
            let refused = try await covey[1].status().covey?.link?.refused ?? [:]
            return refused.contains { $0.key.contains("has not the key") && $0.value > 0 }
        }
        #expect(try await stranger.status().peers.isEmpty)
        #expect(try await covey[1].status().peers.count == 2)
        await fleet.end()
    }

    @Test("is changed without a gateway that is away, which takes the new one over when it is back with the old")
    func withoutOne() async throws {
        let fleet = try await Fleet(3)
        try await fleet.openSink()
        try await fleet.start()
        let (one, two, away) = (fleet.members[0], fleet.members[1], fleet.members[2])
        let old = try #require(try await one.status().covey?.key?.id)
        let refusal = try one.ask(["key", "rotate", "--without", away.name])
        #expect(await refusal.ending() == .exited(2), "\(refusal.log)")
        await away.kill()
        try await until("it is known to be away") {
            try await one.status().peers.contains { $0.name == away.name && $0.state == "dead" }
        }

        let waiting = try one.ask(["key", "rotate"])
        try await within(.seconds(60), "it says for whom it waits") {
            _ = await waiting.waitForLog(containing: "--without \(away.name)")
        }
        #expect(try await one.status().covey?.key?.id == old)
        #expect(try await one.status().reasons.contains { $0.contains("new key waits for \(away.name)") })
        // Any gateway may be told.
        let going = try two.ask(["key", "rotate", "--without", away.name])
        for member in [one, two] {
            try await until("\(member.name) speaks with the new key, and understands the old") {
                let key = try await member.status().covey?.key
                return key?.change?.stage == "using" && key?.known == 2 && key?.id != old
            }
        }
        // One that dies in between is none the worse for it.
        await two.kill()
        try await two.start()

        try await away.start()
        try await waitForOneKey(fleet.members, besides: old)
        try await fleet.waitUntilMet()
        #expect(await waiting.ending() == .exited(0), "\(waiting.log)")
        _ = await going.ending()
        let asked = try away.ask(["key", "rotate", "--status"])
        #expect(await asked.ending() == .exited(0), "\(asked.log)")
        await fleet.end()
    }

    @Test("goes back to the one before, as long as that is known")
    func abort() async throws {
        let fleet = try await Fleet(3)
        try await fleet.openSink()
        try await fleet.start()
        let (one, two, away) = (fleet.members[0], fleet.members[1], fleet.members[2])
        let old = try #require(try await one.status().covey?.key?.id)
        #expect(await (try one.ask(["key", "rotate", "--abort"])).ending() == .exited(2))
        await away.kill()
        let waiting = try one.ask(["key", "rotate"])
        for member in [one, two] {
            try await until("\(member.name) has the new key") { try await member.status().covey?.key?.known == 2 }
        }
        let aborting = try two.ask(["key", "rotate", "--abort"])
        try await away.start()
        #expect(await aborting.ending() == .exited(0), "\(aborting.log)")
        #expect(await waiting.ending() == .exited(0), "\(waiting.log)")
        for member in fleet.members {
            try await until("\(member.name) knows the old key alone") {
                let key = try await member.status().covey?.key
                return key?.known == 1 && key?.id == old && key?.change?.stage == "done"
            }
        }
        try await fleet.waitUntilMet()
        await fleet.end()
    }
}
