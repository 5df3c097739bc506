import Environment
import Model
import Replication
import Testing

@Suite("Claims and frames as bytes")
struct FrameTests {
    private static let frames: [ReplicationFrame] = [
        .request(FetchID(0x0102_0304_0506_0708), log(of: 3), offsets(300..<1324)),
        .answer(FetchID(9), covered: offsets(300..<310), missing: set(302..<304), bytes: [0xAA, 0xBB]),
        .busy(FetchID(.max)),
        .holdRequest(HoldID(5), log(of: 3), set(0..<4, 10..<20)),
        .holdGranted(HoldID(5), log(of: 3), set(0..<4)),
    ]
    private static let holdings = [
        Holdings(),
        claim(0..<100, 200..<5000, end: 6000, isClosed: true, lost: set(100..<200)),
        Holdings(
            ranges: OffsetRanges((0..<40).map { offsets($0 * 10..<$0 * 10 + 5) }), end: Offset(400),
            released: Offset(7)),
    ]

    @Test("are read back as they were written, whatever follows")
    func roundTrip() throws {
        for frame in Self.frames {
            #expect(try ReplicationFrame(decoding: frame.encoded) == frame)
            #expect(try ReplicationFrame(decoding: frame.encoded + [1, 2, 3]) == frame)
        }
        for holdings in Self.holdings {
            #expect(try Holdings(decoding: holdings.encoded) == holdings)
            #expect(try Holdings(decoding: holdings.encoded + [1, 2, 3]) == holdings)
        }
    }

    @Test("are the bytes that every version writes")
    func golden() {
        let bytes = Self.frames.map { hex($0.encoded) } + Self.holdings.prefix(2).map { hex($0.encoded) }
        #expect(
            bytes == [
                "01010807060504030201dec00000000000000300000000000000b90b000000000000ac028008",
                "01020900000000000000ac020a01ae020202aabb",
                "0103ffffffffffffffff",
                "01040500000000000000dec00000000000000300000000000000b90b000000000000020004060a",
                "01050500000000000000dec00000000000000300000000000000b90b000000000000010004",
                "010000000000",
                "0101f02e0002006464c025016464",
            ])
    }

    @Test("fit a replicated value at their longest")
    func longest() {
        let ranges = OffsetRanges(
            (1...UInt64(ReplicatorLimits.ranges)).map { Offset($0 << 57)..<Offset($0 << 57 + 1 << 56) })
        let end = Offset(OffsetRanges.greatest)
        let holdings = Holdings(ranges: ranges, end: end, isClosed: true, lost: ranges, released: end)
        #expect(holdings.encoded.count <= 600)
        #expect(throws: Never.self) { try Holdings(decoding: holdings.encoded) }
    }

    @Test("end in an error or in a value for any bytes")
    func totality() {
        var random = SeededRandom(seed: 21)
        let samples = Self.frames.map(\.encoded) + Self.holdings.map(\.encoded)
        var errors = 0
        for _ in 0..<60_000 {
            var bytes = samples[Int.random(in: 0..<samples.count, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[place] = 0xFF
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                default: bytes.removeLast(min(bytes.count - 1, Int.random(in: 0..<8, using: &random)))
                }
            }
            if let frame = try? ReplicationFrame(decoding: bytes) {
                #expect(try! ReplicationFrame(decoding: frame.encoded) == frame)
            } else {
                errors += 1
            }
            if let holdings = try? Holdings(decoding: bytes) {
                #expect(try! Holdings(decoding: holdings.encoded) == holdings)
            }
        }
        #expect(errors > 10_000)
    }

    @Test("that contradict themselves are refused")
    func contradictions() {
        // Holdings beyond the end, ranges that touch, a missing part outside of what is covered.
        var bytes = claim(0..<100).encoded
        bytes[2] = 99
        #expect(throws: FormatError.invalid("end of a claim")) { try Holdings(decoding: bytes) }
        #expect(throws: FormatError.invalid("range")) { try Holdings(decoding: [1, 0, 20, 0, 2, 0, 5, 0, 5, 0]) }
        let answer = ReplicationFrame.answer(FetchID(1), covered: offsets(0..<5), missing: set(4..<6), bytes: [])
        #expect(throws: FormatError.invalid("missing")) { try ReplicationFrame(decoding: answer.encoded) }
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
