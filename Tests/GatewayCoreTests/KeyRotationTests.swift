import Environment
import Model
import Simulator
import Testing

@testable import GatewayCore

@Suite("A change of the covey's key")
struct KeyRotationTests {
    private static func world(_ seed: UInt64, _ count: Int, _ bug: KeyWorld.Bug = .none) -> KeyWorld {
        var world = KeyWorld(seed: seed, gateways: count, bug: bug)
        world.run(seconds: 120, faulty: true)
        return world
    }

    @Test("leaves gateways that understand each other, whoever dies when, and ends with one key for all")
    func survivesCrashes() {
        var total = (begun: 0, aborted: 0, skipped: 0, crashes: 0, changed: 0)
        for seed in UInt64(0)..<150 {
            var world = Self.world(seed, 2 + Int(seed % 4))
            world.run(seconds: 120, faulty: false)
            #expect(world.violations.isEmpty, "seed \(seed): \(world.violations.first ?? "")")
            let keys = Set(world.gateways.indices.map(world.keys))
            #expect(keys.count == 1 && keys.first?.count == 1, "seed \(seed): \(keys)")
            #expect(world.gateways.allSatisfy { !$0.disk.isChanging }, "seed \(seed)")
            #expect(world.gateways.allSatisfy { $0.machine?.waitsFor.isEmpty ?? false })
            total.begun += world.counts.begun
            total.aborted += world.counts.aborted
            total.skipped += world.counts.skipped
            total.crashes += world.counts.crashes
            if keys.first != [KeyWorld.key(1).id] { total.changed += 1 }
        }
        // The faults did come to it.
        #expect(total.begun > 150 && total.aborted > 40 && total.skipped > 40 && total.crashes > 80, "\(total)")
        #expect(total.changed > 90, "\(total)")
    }

    @Test("is found to be unsafe where a gateway forgets over a restart whom it waits for")
    func forgetfulness() {
        #expect((UInt64(0)..<400).contains { !Self.world($0, 3, .forgetsWhomItAwaits).violations.isEmpty })
    }

    @Test("is found to be unsafe where a gateway confirms what its disk has not taken")
    func hurry() {
        #expect((UInt64(0)..<400).contains { !Self.world($0, 3, .speaksBeforeItsDiskHasIt).violations.isEmpty })
    }

    // MARK: One gateway, by hand

    private let one = KeyWorld.node(1)
    private let two = KeyWorld.node(2)
    private let old = KeyWorld.key(1)
    private let new = KeyWorld.key(2)
    private func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * KeyWorld.second) }

    /// The first of two or three, that knows the others.
    private func machine(_ state: KeyState? = nil, others: [NodeID]) -> KeyRotation {
        var machine = KeyRotation(
            node: KeyWorld.node(0), start: StartID(7), state: state ?? KeyState(keys: [old]),
            identify: KeyWorld.identify)
        _ = machine.step(.members(known: others, alive: others), now: at(0))
        return machine
    }

    private func keep(_ directives: [KeyDirective], _ machine: inout KeyRotation, at seconds: Int64) -> [KeyDirective] {
        for case .keep(_, let version) in directives {
            return machine.step(.kept(version: version, failure: nil), now: at(seconds))
        }
        Issue.record("nothing to keep in \(directives)")
        return []
    }

    private func says(_ stage: KeyStage, _ number: UInt64 = 1, by node: NodeID = KeyWorld.node(0)) -> KeyReport {
        KeyReport(id: RotationID(number: number, node: node), target: new.id, stage: stage, start: StartID(8))
    }

    @Test("goes from install to use when all have it, and to the end when all use it and what is on its way has come")
    func goodCase() {
        var machine = machine(others: [one])
        #expect(machine.refusal == nil)
        var news = keep(machine.step(.order(.begin(new, skipping: [])), now: at(1)), &machine, at: 1)
        #expect(machine.state.keys == [old, new])
        #expect(news.contains { if case .publish(let report) = $0 { report.stage == .installed } else { false } })
        #expect(machine.refusal != nil)
        #expect(machine.waitsFor.map(\.node) == [one])

        news = keep(machine.step(.reported(one, says(.installed)), now: at(2)), &machine, at: 2)
        #expect(machine.state.keys == [new, old])
        #expect(machine.fluent.map(\.node) == [one])
        #expect(machine.step(.reported(one, says(.using)), now: at(3)).contains(.wake(at: at(13))))
        #expect(machine.step(.tick, now: at(12)).allSatisfy { if case .keep = $0 { false } else { true } })
        _ = keep(machine.step(.tick, now: at(13)), &machine, at: 13)
        #expect(machine.state.keys == [new])
        #expect(machine.state.rotation?.stage == .done)
        #expect(machine.refusal == nil)
    }

    @Test("waits for a gateway that is away, goes on without it when told to, and keeps the old key until it is back")
    func away() {
        var machine = machine(others: [one, two])
        _ = machine.step(.members(known: [one, two], alive: [one]), now: at(0))
        _ = keep(machine.step(.order(.begin(new, skipping: [])), now: at(1)), &machine, at: 1)
        _ = machine.step(.reported(one, says(.installed)), now: at(2))
        #expect(machine.state.rotation?.stage == .installed)
        #expect(machine.waitsFor.map(\.node) == [two])

        var news = machine.step(.order(.skip([two])), now: at(3))
        // First who is skipped, then what follows from it.
        while news.contains(where: { if case .keep = $0 { true } else { false } }) {
            news = keep(news, &machine, at: 3)
        }
        #expect(machine.state.keys == [new, old])
        _ = machine.step(.reported(one, says(.using)), now: at(4))
        _ = machine.step(.tick, now: at(1000))
        #expect(machine.state.keys == [new, old])
        #expect(machine.waitsFor.map(\.node) == [two])

        _ = machine.step(.members(known: [one, two], alive: [one, two]), now: at(1001))
        _ = machine.step(.reported(two, says(.using)), now: at(1001))
        _ = keep(machine.step(.tick, now: at(1011)), &machine, at: 1011)
        #expect(machine.state.keys == [new])
    }

    @Test("ends without a gateway that is forgotten, also where nobody has known it since the start")
    func forgotten() {
        var machine = machine(others: [one, two])
        _ = keep(machine.step(.order(.begin(new, skipping: [])), now: at(1)), &machine, at: 1)
        _ = keep(machine.step(.reported(one, says(.using)), now: at(2)), &machine, at: 2)
        #expect(machine.waitsFor.map(\.node) == [two])
        var restarted = self.machine(machine.state, others: [one])
        #expect(restarted.waitsFor.map(\.node).contains(two))
        _ = keep(restarted.step(.order(.drop(two)), now: at(3)), &restarted, at: 3)
        #expect(!restarted.waitsFor.map(\.node).contains(two))
        _ = keep(machine.step(.members(known: [one], alive: [one]), now: at(3)), &machine, at: 3)
        #expect(machine.state.rotation?.awaited == [one])
    }

    @Test("that another began is joined, and its key asked for of one who has it, again and again, until it comes")
    func joining() {
        var machine = machine(others: [one, two])
        var news = keep(machine.step(.reported(one, says(.installed, by: one)), now: at(1)), &machine, at: 1)
        let id = RotationID(number: 1, node: one)
        #expect(machine.state.rotation?.stage == .lacking)
        #expect(news.contains(.frame(KeyMessage.wanted(id).bytes, to: one)))
        news = machine.step(.tick, now: at(4))
        #expect(news.contains(.frame(KeyMessage.wanted(id).bytes, to: one)))
        // What is not that key is not taken for it.
        let forged = KeySecret(id: new.id, bytes: old.bytes)
        #expect(machine.step(.message(KeyMessage.key(id, forged).bytes, from: two), now: at(4)).count == 1)
        #expect(!machine.wanted.knows(new.id))
        _ = keep(machine.step(.message(KeyMessage.key(id, new).bytes, from: one), now: at(5)), &machine, at: 5)
        #expect(machine.state.rotation?.stage == .installed)
        // And gives it to who asks.
        news = machine.step(.message(KeyMessage.wanted(id).bytes, from: two), now: at(6))
        #expect(news.contains(.frame(KeyMessage.key(id, new).bytes, to: two)))
    }

    @Test("that the disk does not take is tried again, and said to nobody before")
    func fullDisk() {
        var machine = machine(others: [one])
        let news = machine.step(.order(.begin(new, skipping: [])), now: at(1))
        for case .keep(_, let version) in news {
            let after = machine.step(.kept(version: version, failure: "it is full"), now: at(1))
            #expect(after == [.wake(at: at(3))])
        }
        #expect(machine.failure == "it is full")
        #expect(machine.state.keys == [old])
        _ = keep(machine.step(.tick, now: at(3)), &machine, at: 3)
        #expect(machine.failure == nil)
        #expect(machine.state.keys == [old, new])
    }

    @Test("is refused to a gateway that knows no other: it would lock itself out")
    func alone() {
        #expect(machine(others: []).refusal?.contains("knows no other") ?? false)
    }

    @Test("is told in bytes that stay, and what a later version adds to them is passed over")
    func bytes() throws {
        let report = KeyReport(
            id: RotationID(number: 300, node: two), target: 0x0102_0304, stage: .using, start: StartID(5),
            skipped: [one])
        let golden: [UInt8] =
            [0xAC, 2, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 2, 5, 0, 0, 0, 0, 0, 0, 0, 1]
            + [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
        #expect(report.bytes == golden)
        #expect(try KeyReport(bytes: golden + [9, 9]) == report)
        let id = RotationID(number: 1, node: one)
        let message = KeyMessage.key(id, new).bytes
        #expect(message.prefix(18) == [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        #expect(message.count == 54)
        #expect(try KeyMessage(bytes: message + [9]) == .key(id, new))
        #expect(try KeyMessage(bytes: KeyMessage.wanted(id).bytes) == .wanted(id))
        for length in 0..<message.count {
            #expect(throws: FormatError.self) { try KeyMessage(bytes: Array(message[..<length])) }
        }
        for length in 0..<golden.count {
            #expect(throws: FormatError.self) { try KeyReport(bytes: Array(golden[..<length])) }
        }
        #expect(throws: FormatError.self) { try KeyMessage(bytes: [7] + message.dropFirst()) }
    }
}
