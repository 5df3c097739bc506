import Glibc
import Model
import TestKit
import Testing

@testable import ClusterLink

@Suite("Peers that cannot be reached", .serialized)
struct LostPeerTests {
    private static let frame = [UInt8](repeating: 0xAB, count: 128 << 10)

    /// Of this process, in bytes.
    private func residentBytes() throws -> Int {
        let descriptor = open("/proc/self/statm", O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &buffer, buffer.count)
        let words = String(decoding: buffer[..<max(0, count)], as: UTF8.self).split(separator: " ")
        return (Int(words[1]) ?? 0) * 4096
    }

    @Test("are told of: nobody listens, a name, an address that is none")
    func nobodyThere() async throws {
        let link = try await RunningLink(1)
        let peers = ["127.0.0.1:\(try MosquittoBroker.freePort())", "boiler-room:8472", "127.0.0.1", "[::1]:0"]
            .compactMap { PeerAddress($0) }
        for (index, peer) in peers.enumerated() {
            link.link.send(frame: [1], to: peer)
            link.link.send(datagram: [1], to: peer)
            try await link.inbox.wait("word of \(peer)") { $0.unreachable.count == index + 1 }
        }
        #expect(link.inbox.now.unreachable == peers)
        #expect(link.link.counts.datagramsUnsent == UInt64(peers.count - 1))
        await link.stop()
    }

    @Test("are told of when a message is longer than any may be")
    func tooLong() async throws {
        try await withPair { one, two in
            one.link.send(frame: [UInt8](repeating: 0, count: FrameDecoder.mostBytes + 1), to: two.address)
            try await one.inbox.wait("word") { $0.unreachable == [two.address] }
            one.link.send(frame: [1], to: two.address)
            try await two.inbox.wait("a frame") { $0.frames.map(\.bytes) == [[1]] }
        }
    }

    @Test("are told of where a call is taken and the handshake never answered")
    func handshakeNeverEnds() async throws {
        let link = try await RunningLink(1)
        let (listener, port) = try RawSocket.deafListener()
        let peer = PeerAddress("127.0.0.1:\(port)")!
        link.link.send(frame: [1], to: peer)
        try await link.inbox.wait("word") { $0.unreachable == [peer] }
        listener.shutdown()
        await link.stop()
    }

    @Test("and never read cost no more memory than may wait for one peer, and are told of")
    func neverReads() async throws {
        let link = try await RunningLink(1)
        let peer = RawPeer()
        let port = try await peer.listen(try PeerCertificates(Known.ring).server)
        let (listener, deafPort) = try RawSocket.deafListener()
        for port in [port, deafPort] {
            let address = PeerAddress("127.0.0.1:\(port)")!
            let before = try residentBytes()
            let told = link.inbox.now.unreachable.count
            for _ in 0..<1000 { link.link.send(frame: Self.frame, to: address) }
            try await link.inbox.wait("word of \(address)") { $0.unreachable.count >= told + 20 }
            #expect(link.inbox.now.unreachable.dropFirst(told).allSatisfy { $0 == address })
            // 125 MiB were sent.
            #expect(try residentBytes() - before < 64 << 20)
        }
        // Others are served meanwhile.
        let friend = try await RunningLink(2)
        link.link.send(frame: [1], to: friend.address)
        try await friend.inbox.wait("a frame") { $0.frames.count == 1 }
        listener.shutdown()
        await friend.stop()
        await peer.stop()
        await link.stop()
    }

    @Test("because they read slowly make the sender wait, not the memory grow: all arrives in order")
    func slowReader() async throws {
        let gate = Gate()
        let inbox = Inbox()
        let slow = try await RunningLink(1)
        await slow.stop()
        let settings = ClusterLink.Settings(
            host: "127.0.0.1", port: slow.port, address: slow.address, node: Known.node, start: Known.start)
        let link = try ClusterLink(
            settings, keys: Known.ring,
            receiver: ClusterLink.Receiver(
                datagram: { _, _ in },
                frame: { bytes, peer in
                    await gate.pass()
                    await inbox.receiver.frame(bytes, peer)
                },
                unreachable: { _ in }))
        let (readiness, ready) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
        let running = Task { try await link.run { _ in ready.yield() } }
        var states = readiness.makeAsyncIterator()
        await states.next()

        let sender = try await RunningLink(2)
        // As many as may wait for one peer at a time.
        for number in 0..<16 {
            sender.link.send(frame: [UInt8(number)] + Self.frame.dropFirst(), to: slow.address)
        }
        try await until("the first frame") { gate.waiting == 1 }
        // The kernel's buffers hold some; the receiver has taken few of them.
        #expect(link.counts.framesReceived < 8)
        #expect(inbox.now.frames.isEmpty)
        gate.open()
        try await inbox.wait("all frames") { $0.frames.count == 16 }
        #expect(inbox.now.frames.map { $0.bytes[0] } == (0..<16).map(UInt8.init))
        #expect(sender.inbox.now.unreachable.isEmpty)
        await sender.stop()
        running.cancel()
        _ = await running.result
    }
}
