import Glibc
import TestKit
import Testing

/// What the other tests of this target stand on.
@Suite("A network of the lab", .serialized)
struct LabNetworkTests {
    private static let port = 8472

    /// How many of `count` datagrams arrive.
    private func arrived(
        _ count: Int, from: LabNetwork.Place, to: LabNetwork.Place, in lab: LabNetwork, port: Int = Self.port
    ) async throws -> Int {
        let listener = try await lab.datagramSocket(at: to, port: port)
        let sender = try await lab.datagramSocket(at: from, port: 0)
        let target = lab.address(to)
        return await onThread {
            var buffer = [UInt8](repeating: 0, count: 100)
            var arrived = 0
            for _ in 0..<count {
                RawSocket.sendDatagram([1, 2, 3], from: sender, to: port, of: target)
                // The listener's buffer is small.
                while recv(listener.number, &buffer, buffer.count, Int32(MSG_DONTWAIT)) == 3 { arrived += 1 }
            }
            while recv(listener.number, &buffer, buffer.count, 0) == 3 { arrived += 1 }
            return arrived
        }
    }

    @Test("Places reach each other and the outside, until a cable is cut: then in the other direction only")
    func cuts() async throws {
        let lab = try await LabNetwork(3)
        for from in lab.places + [.outside] {
            for to in lab.places + [.outside] where from != to {
                #expect(try await arrived(5, from: from, to: to, in: lab) == 5, "\(from) to \(to)")
            }
        }
        try await lab.cut(from: 0, to: 1)
        // What was known of addresses is learnt anew, which a cut must not hinder.
        for place in lab.places {
            let flush = try lab.start("/usr/sbin/ip", ["neigh", "flush", "all"], in: place)
            #expect(await flush.ending() == .exited(0))
        }
        #expect(try await arrived(5, from: 0, to: 1, in: lab) == 0)
        #expect(try await arrived(5, from: 1, to: 0, in: lab) == 5)
        #expect(try await arrived(5, from: 0, to: 2, in: lab) == 5)
        try await lab.isolate([0, 1])
        #expect(try await arrived(5, from: 2, to: 1, in: lab) == 0)
        #expect(try await arrived(5, from: 1, to: 2, in: lab) == 0)
        #expect(try await arrived(5, from: 2, to: .outside, in: lab) == 5)
        try await lab.mend(2)
        #expect(try await arrived(5, from: 0, to: 2, in: lab) == 5)
        #expect(try await arrived(5, from: 0, to: 1, in: lab) == 0)
        try await lab.heal()
        #expect(try await arrived(5, from: 0, to: 1, in: lab) == 5)
        await lab.remove()
    }

    @Test("Loss drops about as many packets as it says, on the port that it names only")
    func loss() async throws {
        let lab = try await LabNetwork(2)
        try await lab.loss(30, port: Self.port)
        // 1,000 tries of 0.7 stray by 14.5: ten times that is no bad luck.
        #expect(abs(try await arrived(1000, from: 0, to: 1, in: lab) - 700) < 145)
        #expect(try await arrived(100, from: 0, to: 1, in: lab, port: Self.port + 1) == 100)
        try await lab.heal()
        #expect(try await arrived(100, from: 0, to: 1, in: lab) == 100)
        await lab.remove()
    }

    @Test("A slow cable carries what its rate allows, and counts it")
    func rate() async throws {
        let lab = try await LabNetwork(2)
        try await lab.rate(1_000_000, at: 0)
        let before = try await lab.traffic()
        let listener = try await lab.datagramSocket(at: 1, port: Self.port)
        let sender = try await lab.datagramSocket(at: 0, port: 0)
        let target = lab.address(1)
        let (arrived, took) = await onThread {
            let start = ContinuousClock.now
            var buffer = [UInt8](repeating: 0, count: 2000)
            // A datagram at a time is in the queue, so that none is dropped.
            var arrived = 0
            for _ in 0..<100 {
                RawSocket.sendDatagram(Array(repeating: 7, count: 1200), from: sender, to: Self.port, of: target)
                if recv(listener.number, &buffer, buffer.count, 0) == 1200 { arrived += 1 }
            }
            return (arrived, ContinuousClock.now - start)
        }
        #expect(arrived == 100)
        // 124,200 bytes, of which 16 KiB may go at once.
        #expect(took > .milliseconds(750))
        let after = try await lab.traffic()
        #expect(after[0].sentBytes - before[0].sentBytes >= 100 * 1242)
        #expect(after[1].receivedPackets - before[1].receivedPackets >= 100)
        #expect(after[1].sentBytes - before[1].sentBytes < 1000)
        await lab.remove()
    }

    @Test("A long cable takes its time, lets packets overtake one another, and loses none; connections work over it")
    func delay() async throws {
        let lab = try await LabNetwork(2)
        try await lab.delay(.milliseconds(60), jitter: .milliseconds(40), at: 0)
        let listener = try await lab.datagramSocket(at: 1, port: Self.port)
        let sender = try await lab.datagramSocket(at: 0, port: 0)
        let target = lab.address(1)
        let (order, took) = await onThread {
            var (byte, took) = ([UInt8](repeating: 0, count: 1), Duration.zero)
            // The first asks for the address before: that takes two ways more.
            RawSocket.sendDatagram([99], from: sender, to: Self.port, of: target)
            for _ in 0..<20 where byte != [99] { _ = recv(listener.number, &byte, 1, 0) }
            let start = ContinuousClock.now
            for number in 0..<50 as Range<UInt8> {
                RawSocket.sendDatagram([number], from: sender, to: Self.port, of: target)
            }
            var order: [UInt8] = []
            // The listener waits 100 ms for each.
            while order.count < 50, recv(listener.number, &byte, 1, 0) == 1 {
                if order.isEmpty { took = ContinuousClock.now - start }
                order.append(byte[0])
            }
            return (order, took)
        }
        #expect(took >= .milliseconds(60))
        #expect(order.sorted() == Array(0..<50))
        #expect(order != Array(0..<50))
        try await lab.heal()
        #expect(try await arrived(5, from: 1, to: 0, in: lab) == 5)
        try await lab.cut(0, 1)
        #expect(try await arrived(5, from: 1, to: 0, in: lab) == 0)
        await lab.remove()
    }

    @Test("A program runs in its place, and signals reach it")
    func programs() async throws {
        let lab = try await LabNetwork(1)
        let shown = try lab.start("/usr/sbin/ip", ["-brief", "address"], in: 0, environment: ["LC_ALL": "C"])
        #expect(await shown.ending() == .exited(0))
        #expect(
            shown.log.contains { $0.hasPrefix("eth0") && $0.contains(lab.address(0)) && $0.contains(lab.address6(0)) })
        let sleeper = try lab.start("/usr/bin/sleep", ["1000"], in: 0)
        #expect(await sleeper.terminate() == .killed(signal: SIGTERM))
        await lab.remove()
    }

    @Test("Thirty-two places are there within seconds, and gone without a trace; so is what a crash left")
    func manyPlaces() async throws {
        func traces() throws -> [String] {
            let words = ["/run/netns", "/sys/class/net"]
            return words.flatMap { folder -> [String] in
                guard let open = opendir(folder) else { return [] }
                defer { closedir(open) }
                var names: [String] = []
                while let entry = readdir(open) {
                    names.append(
                        withUnsafePointer(to: &entry.pointee.d_name) {
                            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                        })
                }
                return names.filter { $0.hasPrefix("covey-lab-\(getpid())-") || $0.hasPrefix("covey-lab-4194305-") }
            }
        }
        // A process of this number cannot be.
        #expect(system("ip netns add covey-lab-4194305-0-hub") == 0)
        #expect(try traces().count == 1)
        let start = ContinuousClock.now
        let lab = try await LabNetwork(32)
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(try traces().count == 33)
        #expect(try await arrived(5, from: 31, to: 0, in: lab) == 5)
        await lab.remove()
        #expect(try traces().isEmpty)
        print("32 places after \(ContinuousClock.now - start)")
    }
}
