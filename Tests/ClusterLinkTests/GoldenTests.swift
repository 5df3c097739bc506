import Environment
import Model
import Testing

@testable import ClusterLink

/// Bytes as the first version writes them; a later one must still read them. The datagrams were made by another program too, out of the
/// table in `DatagramCipher` and Python's `cryptography`.
@Suite("Bytes of the first version")
struct GoldenTests {
    private static let head = "c119899498efcdab89674523011032547698badcfe8877665544332211"
    static let datagrams = [
        head + "00000000000000008f517d52028cd2c57f996ee5b78037c1",
        head + "01000000000000001f3dc8632f3c89dd16c3bdbc233b44ac583de68c8e8d6dff2ace8376",
        head + "0200000000000000732c4f2081344ea557aaa954a66e26d94c73303879fda600703c1ea5",
    ]
    static let payloads = ["", "hello, covey", "hello, covey"].map(Known.text)
    static let hello =
        "01efcdab89674523011032547698badcfe88776655443322110e5b666538303a3a315d3a38343732"

    @Test("of datagrams are written again, for the same key, sender and number")
    func datagramsAreWritten() {
        let cipher = DatagramCipher(Known.ring, node: Known.node, start: Known.start)
        for (payload, golden) in zip(Self.payloads, Self.datagrams) {
            #expect(hexadecimal(cipher.seal(payload)) == golden)
        }
    }

    @Test("of datagrams are read")
    func datagramsAreRead() throws {
        let cipher = DatagramCipher(Known.ring, node: Known.peer, start: Known.peerStart)
        for (payload, golden) in zip(Self.payloads, Self.datagrams) {
            #expect(try cipher.open(bytes(of: golden)) == payload)
        }
    }

    @Test("of a hello are written and read, and what a later version adds is passed over")
    func hello() throws {
        let hello = StreamHello(node: Known.node, start: Known.start, address: PeerAddress("[fe80::1]:8472")!)
        #expect(hexadecimal(hello.bytes) == Self.hello)
        #expect(try StreamHello(bytes(of: Self.hello)) == hello)
        #expect(try StreamHello(bytes(of: Self.hello) + [1, 2, 3]) == hello)
    }

    @Test("of a hello that is cut, of another version, or without an address are refused")
    func badHellos() {
        let golden = bytes(of: Self.hello)
        for length in 0..<golden.count {
            #expect(throws: FormatError.truncated) { try StreamHello(Array(golden[..<length])) }
        }
        #expect(throws: FormatError.invalid("version of a stream")) { try StreamHello([2] + golden.dropFirst()) }
        #expect(throws: FormatError.invalid("address")) { try StreamHello(golden[..<25] + [0]) }
        #expect(throws: FormatError.invalid("address")) {
            try StreamHello(golden[..<25] + [65] + Array(repeating: 0x41, count: 65))
        }
        #expect(throws: FormatError.invalid("address")) { try StreamHello(golden[..<25] + [2, 0xC3, 0x28]) }
    }

    @Test("of a hello, mutated or random, give a hello or an error")
    func helloIsTotal() {
        var random = SeededRandom(seed: 8)
        var (read, refused) = (0, 0)
        for round in 0..<20_000 {
            let mutant =
                round % 2 == 0 ? random.mutant(of: bytes(of: Self.hello)) : [1] + random.bytes(Int(random.next() % 90))
            guard let hello = try? StreamHello(mutant) else {
                refused += 1
                continue
            }
            read += 1
            #expect((1...PeerAddress.mostBytes).contains(hello.address.text.utf8.count))
        }
        #expect(read > 100)
        #expect(refused > 100)
    }
}
