import Environment
import Model
import TestKit
import Testing

@testable import ClusterLink

@Suite("Two links that share a key", .serialized)
struct LinkTests {
    @Test("exchange datagrams, and each knows where the other's came from")
    func datagrams() async throws {
        try await withPair { one, two in
            one.link.send(datagram: Known.text("to two"), to: two.address)
            two.link.send(datagram: Known.text("to one"), to: one.address)
            try await one.inbox.wait("a datagram") { $0.datagrams.count == 1 }
            try await two.inbox.wait("a datagram") { $0.datagrams.count == 1 }
            #expect(one.inbox.now.datagrams == [.init(bytes: Known.text("to one"), sender: two.address)])
            #expect(two.inbox.now.datagrams == [.init(bytes: Known.text("to two"), sender: one.address)])
            let counts = one.link.counts
            #expect(counts.datagramsSent == 1 && counts.datagramsReceived == 1)
            #expect(counts.datagramBytesSent == UInt64(6 + DatagramCipher.overhead))
            #expect(counts.refused.isEmpty)
        }
    }

    @Test("exchange frames of every size up to 128 KiB, in order, and each knows who called")
    func frames() async throws {
        try await withPair { one, two in
            var random = SeededRandom(seed: 4)
            let sizes = [0, 1, 100, 16 << 10, 128 << 10] + Array(repeating: 128 << 10, count: 40)
            let frames = sizes.map { size in
                let filler = UInt8(truncatingIfNeeded: random.next())
                return Array(repeating: filler, count: size)
            }
            // No more at a time than may wait for one peer.
            for (count, frame) in frames.enumerated() {
                try await two.inbox.wait("a frame") { $0.frames.count >= count - 8 }
                one.link.send(frame: frame, to: two.address)
            }
            two.link.send(frame: Known.text("back"), to: one.address)
            try await two.inbox.wait("all frames") { $0.frames.count == frames.count }
            try await one.inbox.wait("a frame") { $0.frames.count == 1 }
            let got = two.inbox.now.frames
            #expect(got.map(\.bytes) == frames)
            #expect(got.allSatisfy { $0.sender == one.address })
            #expect(one.inbox.now.frames == [.init(bytes: Known.text("back"), sender: two.address)])
            #expect(one.inbox.now.unreachable.isEmpty && two.inbox.now.unreachable.isEmpty)
            #expect(two.link.counts.framesReceived == UInt64(frames.count))
            #expect(two.link.counts.refused.isEmpty)
        }
    }

    @Test("over IPv6 do the same", arguments: ["::1", "::"])
    func overIPv6(host: String) async throws {
        let (one, two) = (try await RunningLink(1, host: host), try await RunningLink(2, host: "::1"))
        let address = PeerAddress("[::1]:\(one.port)")!
        two.link.send(datagram: [1], to: address)
        two.link.send(frame: [2], to: address)
        try await one.inbox.wait("a datagram and a frame") { $0.datagrams.count == 1 && $0.frames.count == 1 }
        #expect(one.inbox.now.datagrams == [.init(bytes: [1], sender: two.address)])
        #expect(one.inbox.now.frames == [.init(bytes: [2], sender: two.address)])
        await one.stop()
        await two.stop()
    }

    @Test("meet where one listens on all addresses of both kinds and the other speaks IPv4 only")
    func bothKinds() async throws {
        let (one, two) = (try await RunningLink(1, host: "::"), try await RunningLink(2))
        let address = PeerAddress("127.0.0.1:\(one.port)")!
        two.link.send(datagram: [1], to: address)
        two.link.send(frame: [2], to: address)
        try await one.inbox.wait("a datagram and a frame") { $0.datagrams.count == 1 && $0.frames.count == 1 }
        #expect(one.inbox.now.datagrams == [.init(bytes: [1], sender: two.address)])
        one.link.send(datagram: [3], to: two.address)
        one.link.send(frame: [4], to: two.address)
        try await two.inbox.wait("a datagram and a frame") { $0.datagrams.count == 1 && $0.frames.count == 1 }
        #expect(two.inbox.now.datagrams == [.init(bytes: [3], sender: address)])
        await one.stop()
        await two.stop()
    }

    @Test("go on while their keys are changed: install, use, remove")
    func keysAreChanged() async throws {
        try await withPair { one, two in
            let both = KeyRing([Known.key, Known.otherKey])!
            let turned = KeyRing([Known.otherKey, Known.key])!
            var count = 0
            func speak() async throws {
                count += 1
                let count = count
                for (from, to) in [(one, two), (two, one)] {
                    from.link.send(datagram: [UInt8(count)], to: to.address)
                    from.link.send(frame: [UInt8(count)], to: to.address)
                    try await to.inbox.wait("message \(count)") {
                        // While the other may not know the first key, it gets the datagram under each.
                        $0.datagrams.contains { $0.bytes == [UInt8(count)] } && $0.frames.count == count
                    }
                }
            }
            try await speak()
            for ring in [both, turned, Known.otherRing] {
                for link in [one, two] {
                    try link.link.install(ring)
                    try await speak()
                }
            }
            #expect(one.inbox.now.unreachable.isEmpty && two.inbox.now.unreachable.isEmpty)
            #expect(one.link.counts.refused.isEmpty && two.link.counts.refused.isEmpty)
            // A gateway that comes with the new key alone is one of them.
            let three = try await RunningLink(3, keys: Known.otherRing)
            three.link.send(frame: [99], to: one.address)
            one.link.send(frame: [98], to: three.address)
            try await one.inbox.wait("a frame of the third") { $0.frames.contains { $0.bytes == [99] } }
            try await three.inbox.wait("a frame to the third") { $0.frames.count == 1 }
            await three.stop()
        }
    }

    @Test("reach each other again after one was restarted at its address, and the other was told")
    func restarts() async throws {
        let one = try await RunningLink(1)
        let two = try await RunningLink(2)
        one.link.send(frame: [1], to: two.address)
        try await two.inbox.wait("a frame") { $0.frames.count == 1 }
        await two.stop()
        try await one.inbox.wait("word of the end") { $0.unreachable == [two.address] }
        let again = try await RunningLink(3, port: two.port)
        one.link.send(frame: [2], to: two.address)
        one.link.send(datagram: [3], to: two.address)
        try await again.inbox.wait("a frame and a datagram") { $0.frames.count == 1 && $0.datagrams.count == 1 }
        // That a peer goes away is nobody's fault.
        #expect(one.link.counts.refused.isEmpty && again.link.counts.refused.isEmpty)
        await one.stop()
        await again.stop()
    }

    @Test("do not listen where another does, and say at which address")
    func portIsTaken() async throws {
        let one = try await RunningLink(1)
        let error = await #expect(throws: LinkError.self) { _ = try await RunningLink(2, port: one.port) }
        #expect(error?.description.contains("cluster.listen = 127.0.0.1:\(one.port)") == true)
        await one.stop()
    }

    @Test("send nothing while they do not run, and say so")
    func notRunning() throws {
        let inbox = Inbox()
        let settings = ClusterLink.Settings(
            host: "127.0.0.1", port: 0, address: PeerAddress("127.0.0.1:9")!, node: Known.node, start: Known.start)
        let link = try ClusterLink(settings, keys: Known.ring, receiver: inbox.receiver)
        link.send(datagram: [1], to: settings.address)
        link.send(frame: [1], to: settings.address)
        #expect(link.counts.datagramsUnsent == 1)
        #expect(inbox.now.unreachable == [settings.address])
    }
}
