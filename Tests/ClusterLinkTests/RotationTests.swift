import Model
import TestKit
import Testing

@testable import ClusterLink

@Suite("Links whose key is changed", .serialized)
struct RotationTests {
    private static let both = KeyRing([Known.otherKey, Known.key])!

    @Test("speak to one who is back with the old key in that, both ways, on datagrams and streams")
    func oldKey() async throws {
        try await withPair(keys: Self.both, Known.ring) { one, late in
            // Nobody has been heard of yet: the datagram goes once under each key.
            one.link.send(datagram: [1], to: late.address)
            try await late.inbox.wait("the datagram that it can open") { $0.datagrams.count == 1 }
            try await until("the count of the other") { late.refused("a key that is not known here") == 1 }
            late.link.send(datagram: [2], to: one.address)
            try await one.inbox.wait("a datagram") { $0.datagrams.count == 1 }
            one.link.send(datagram: [3], to: late.address)
            one.link.send(frame: [4], to: late.address)
            late.link.send(frame: [5], to: one.address)
            try await late.inbox.wait("both") { $0.datagrams.count == 2 && $0.frames.count == 1 }
            try await one.inbox.wait("a frame") { $0.frames.count == 1 }
            #expect(late.refused("a key that is not known here") == 1)
            #expect(late.refused("has not the key") == 0 && one.refused("has not the key") == 0)
            #expect(one.link.failure(to: late.address) == nil)
        }
    }

    @Test("reach one who cannot open the first key by a stream, too, though nothing was heard of it")
    func streamsTryEachKey() async throws {
        try await withPair(keys: Self.both, Known.ring) { one, late in
            one.link.send(frame: [1], to: late.address)
            try await one.inbox.wait("word that it did not come") { !$0.unreachable.isEmpty }
            #expect(one.link.failure(to: late.address)?.contains("has another key") ?? false)
            one.link.send(frame: [2], to: late.address)
            try await late.inbox.wait("the second") { $0.frames.map(\.bytes) == [[2]] }
        }
    }

    @Test("speak with the first key to who is known to have it, whatever he was heard with")
    func fluentPeers() async throws {
        try await withPair(keys: Self.both, KeyRing([Known.key, Known.otherKey])!) { one, two in
            two.link.send(datagram: [1], to: one.address)
            try await one.inbox.wait("a datagram") { !$0.datagrams.isEmpty }
            one.link.speakFirstKey(to: [two.address])
            // Who knows the first alone understands now.
            try two.link.install(Known.otherRing)
            one.link.send(datagram: [2], to: two.address)
            try await two.inbox.wait("a datagram") { $0.datagrams.map(\.bytes) == [[2]] }
            #expect(two.link.counts.refused.isEmpty)
        }
    }

    @Test("lose no frame when the key that they speak with changes between two of them")
    func framesAcrossTheChange() async throws {
        try await withPair { one, two in
            for link in [one, two] { try link.link.install(KeyRing([Known.key, Known.otherKey])!) }
            for number in 0..<60 {
                one.link.send(frame: [UInt8(number)] + Array(repeating: 0, count: 30_000), to: two.address)
                if number == 20 { try one.link.install(Self.both) }
                if number == 40 { try two.link.install(Self.both) }
            }
            try await two.inbox.wait("all frames") { $0.frames.count == 60 }
            #expect(Set(two.inbox.now.frames.map { $0.bytes[0] }).count == 60)
            #expect(one.inbox.now.unreachable.isEmpty)
            for link in [one, two] { try link.link.install(Known.otherRing) }
            one.link.send(frame: [99], to: two.address)
            try await two.inbox.wait("a frame under the new key alone") { $0.frames.count == 61 }
            #expect(two.link.counts.refused.isEmpty)
        }
    }

    @Test("end the streams of who has the old key alone, once it is known no more, and let him open no other")
    func oldKeyIsAStranger() async throws {
        try await withPair(keys: Self.both, Known.ring) { one, stranger in
            stranger.link.send(frame: [1], to: one.address)
            try await one.inbox.wait("a frame") { $0.frames.count == 1 }
            try one.link.install(Known.otherRing)
            try await stranger.inbox.wait("the end of the stream") { $0.unreachable == [one.address] }
            stranger.link.send(frame: [2], to: one.address)
            stranger.link.send(datagram: [3], to: one.address)
            try await until("the count of a stream") { one.refused("has not the key") >= 1 }
            try await until("the count of a datagram") { one.refused("a key that is not known here") == 1 }
            #expect(one.inbox.now.frames.count == 1 && one.inbox.now.datagrams.isEmpty)
        }
    }

    @Test("say why a stream came to nothing: nobody listens, another key")
    func failures() async throws {
        try await withPair(keys: Known.ring, Known.otherRing) { one, stranger in
            let nobody = PeerAddress("127.0.0.1:\(try MosquittoBroker.freePort())")!
            one.link.send(frame: [1], to: nobody)
            one.link.send(frame: [1], to: stranger.address)
            try await one.inbox.wait("word of both") { $0.unreachable.count == 2 }
            #expect(one.link.failure(to: nobody) == "nobody listens there")
            #expect(one.link.failure(to: stranger.address)?.contains("has another key") ?? false)
            #expect(one.link.failure(to: one.address) == nil)
        }
    }
}
