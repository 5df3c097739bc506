import Environment
import Model
import NIOCore
import NIOSSL
import TestKit
import Testing

@testable import ClusterLink

@Suite("Strangers and broken peers", .serialized)
struct StrangerTests {
    /// TLS of somebody who has no key at all and trusts everybody.
    private func anonymous() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        return try NIOSSLContext(configuration: configuration)
    }

    private func insider() throws -> NIOSSLContext { try PeerCertificates(Known.ring).client(0).context }

    /// That the link still works after what it met.
    private func expectService(of link: RunningLink) async throws {
        let friend = try await RunningLink(77)
        friend.link.send(datagram: Known.text("still there?"), to: link.address)
        friend.link.send(frame: Known.text("still there?"), to: link.address)
        try await link.inbox.wait("a friend's word") {
            $0.datagrams.contains { $0.bytes == Known.text("still there?") }
                && $0.frames.contains { $0.bytes == Known.text("still there?") }
        }
        await friend.stop()
    }

    @Test("with another key get nothing through in either direction, on datagrams or streams, and are counted")
    func otherKey() async throws {
        try await withPair(keys: Known.ring, Known.otherRing) { one, stranger in
            for (from, to) in [(one, stranger), (stranger, one)] {
                from.link.send(datagram: [1], to: to.address)
                from.link.send(frame: [2], to: to.address)
                try await from.inbox.wait("word that it is out of reach") { $0.unreachable == [to.address] }
                try await until("the count of a datagram") { to.refused("a key that is not known here") == 1 }
                try await until("the count of a stream") { to.refused("has not the key") >= 1 }
            }
            for link in [one, stranger] {
                #expect(link.inbox.now.datagrams.isEmpty && link.inbox.now.frames.isEmpty)
                #expect(link.link.counts.datagramsReceived == 0 && link.link.counts.framesReceived == 0)
            }
            try await expectService(of: one)
        }
    }

    @Test("without any certificate get nothing through, though they shake hands from their side")
    func noCertificate() async throws {
        let link = try await RunningLink(1)
        let peer = RawPeer()
        let channel = try await peer.call(link.port, try anonymous())
        channel.send(RawPeer.framed(RawPeer.hello) + RawPeer.framed([1, 2, 3]))
        try? await channel.closeFuture.get()
        try await until("the count") { link.refused("has not the key") == 1 }
        try await expectService(of: link)
        #expect(link.link.counts.framesReceived == 1)
        await peer.stop()
        await link.stop()
    }

    @Test("that send noise instead of TLS are closed at once, and counted")
    func noise() async throws {
        let link = try await RunningLink(1)
        var random = SeededRandom(seed: 6)
        for count in 1...20 {
            let socket = try RawSocket.connected(to: link.port)
            let text = count % 2 == 0 ? Known.text("GET / HTTP/1.1\r\nHost: covey\r\n\r\n") : [0x7F] + random.bytes(500)
            RawSocket.write(text, to: socket)
            await RawSocket.waitForEnd(of: socket)
        }
        try await until("the count") { link.refused("speaks no TLS 1.3") == 20 }
        try await expectService(of: link)
        await link.stop()
    }

    @Test("that say nothing, before or after the handshake, are closed after a while, and counted")
    func silence() async throws {
        let link = try await RunningLink(1)
        let peer = RawPeer()
        let silent = try RawSocket.connected(to: link.port)
        // Half a message of a handshake, and no more of it.
        let half = try RawSocket.connected(to: link.port)
        RawSocket.write([0x16, 0x03, 0x01, 0x02, 0x00], to: half)
        let shaken = try await peer.call(link.port, try insider())
        shaken.send([0, 0])
        let began = ContinuousClock.now
        await RawSocket.waitForEnd(of: silent)
        await RawSocket.waitForEnd(of: half)
        try? await shaken.closeFuture.get()
        #expect(began.duration(to: .now) >= .seconds(8))
        try await until("the count") { link.refused("without a hello in time") == 3 }
        #expect(link.inbox.now.frames.isEmpty)
        try await expectService(of: link)
        await peer.stop()
        await link.stop()
    }

    @Test("with the key that announce too long a message, or no readable hello, or are an echo, are closed and counted")
    func brokenPeers() async throws {
        let link = try await RunningLink(1)
        let peer = RawPeer()
        let tls = try insider()
        let own = StreamHello(node: NodeID(high: 7, low: 1), start: StartID(1), address: link.address).bytes
        let broken: [(bytes: [UInt8], reason: String)] = [
            ([0xFF, 0xFF, 0xFF, 0xFF], "too long"),
            (RawPeer.framed(RawPeer.hello) + [0x00, 0x02, 0x80, 0x01], "too long"),
            (RawPeer.framed([9] + RawPeer.hello), "cannot be read"),
            (RawPeer.framed([]), "cannot be read"),
            (RawPeer.framed(own), "this gateway itself"),
        ]
        for (bytes, reason) in broken {
            let before = link.refused(reason)
            let channel = try await peer.call(link.port, tls)
            channel.send(bytes)
            try? await channel.closeFuture.get()
            try await until("the count of \(reason)") { link.refused(reason) == before + 1 }
        }
        #expect(link.link.counts.refused.values.reduce(0, +) == UInt64(broken.count))
        #expect(link.inbox.now.frames.isEmpty)
        // The longest that is allowed is not too long.
        let channel = try await peer.call(link.port, tls)
        let longest = [UInt8](repeating: 5, count: FrameDecoder.mostBytes)
        channel.send(RawPeer.framed(RawPeer.hello) + RawPeer.framed(longest))
        try await link.inbox.wait("the longest") { $0.frames.first?.bytes == longest }
        #expect(link.inbox.now.frames.first?.sender == PeerAddress("127.0.0.1:9"))
        try await expectService(of: link)
        await peer.stop()
        await link.stop()
    }

    @Test("with the key that go away without a farewell are no strangers: nothing is counted")
    func abruptEnd() async throws {
        let link = try await RunningLink(1)
        let peer = RawPeer()
        // As a process ends that is killed: the kernel closes the connection, TLS says nothing.
        let relay = Relay(to: link.port)
        let channel = try await peer.call(relay.port, try insider())
        channel.send(RawPeer.framed(RawPeer.hello) + RawPeer.framed([1]) + [0, 0, 1])
        try await link.inbox.wait("a frame") { $0.frames.count == 1 }
        relay.cut()
        try? await channel.closeFuture.get()
        try await expectService(of: link)
        #expect(link.link.counts.refused.isEmpty)
        await peer.stop()
        await link.stop()
    }

    @Test("that send random and mutated datagrams, and old ones again, change nothing, and every one is counted")
    func datagramFlood() async throws {
        let link = try await RunningLink(1)
        let socket = RawSocket.datagramSocket()
        let friend = DatagramCipher(Known.ring, node: Known.node, start: Known.start)
        let genuine = friend.seal(Known.text("genuine"))
        RawSocket.sendDatagram(genuine, from: socket, to: link.port)
        try await link.inbox.wait("the genuine one") { $0.datagrams.count == 1 }
        var random = SeededRandom(seed: 12)
        var sent: UInt64 = 0
        func refused() -> UInt64 { link.link.counts.refused.values.reduce(0, +) }
        for round in 0..<3000 {
            var bytes: [UInt8]
            switch round % 3 {
            case 0: bytes = random.bytes(Int(random.next() % 1400))
            case 1: bytes = genuine
            default:
                bytes = friend.seal(Known.text("never seen"))
                bytes[Int(random.next() % UInt64(bytes.count))] ^= 1 << (random.next() % 8)
            }
            RawSocket.sendDatagram(bytes, from: socket, to: link.port)
            sent += 1
            // No faster than they are taken: what the kernel drops is not counted here.
            if round % 50 == 49 { try await until("\(sent) refusals") { refused() == sent } }
        }
        #expect(link.inbox.now.datagrams.map(\.bytes) == [Known.text("genuine")])
        #expect(link.refused("seen before") == 1000)
        #expect(link.link.counts.datagramsReceived == 1)
        try await expectService(of: link)
        await link.stop()
    }
}
