import Environment
import Model
import Testing

@testable import Replication

@Suite struct ClaimCodecTests {
    private func sample() -> UploadClaim {
        var claim = UploadClaim()
        claim.watermark = Offset(1024)
        claim.settled = OffsetRanges([span(1536, 2048), span(4096, 4100)])
        claim.receipts = [
            UploadReceipt(range: span(512, 1024), digest: 0x0102_0304_0506_0708),
            UploadReceipt(range: span(4096, 4100), digest: 9),
            UploadReceipt(range: span(4100, 4102), digest: 10, isRefused: true),
            UploadReceipt(range: span(1536, 2048), digest: .max),
        ]
        claim.turn = 300
        claim.waitSeconds = 60
        claim.isWorking = true
        return claim
    }

    /// Other versions must read these bytes for ever.
    @Test func goldenBytesOfAClaim() throws {
        let golden: [UInt8] =
            [1, 1, 0xAC, 0x02, 60, 0x80, 0x08, 2, 0x80, 0x0C, 0x80, 0x04, 0x80, 0x10, 4, 4]
            + [0x80, 0x08, 0xFE, 0x07, 8, 7, 6, 5, 4, 3, 2, 1]
            + [0x80, 0x30, 6, 9, 0, 0, 0, 0, 0, 0, 0]
            + [0, 3, 10, 0, 0, 0, 0, 0, 0, 0]
            + [0x8B, 0x28, 0xFE, 0x07] + [UInt8](repeating: 0xFF, count: 8)
        #expect(sample().encode() == golden)
        #expect(try UploadClaim(bytes: golden) == sample())
        #expect(try UploadClaim(bytes: golden + [1, 2, 3]) == sample(), "later versions add fields at the end")
    }

    @Test func goldenBytesOfSinksAndKeys() throws {
        let sinks = [
            SinkStatus(sink: SinkID(1), isRequired: true, isReachable: false),
            SinkStatus(sink: SinkID(0xAB), isRequired: false, isReachable: true),
        ]
        let golden: [UInt8] = [1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xAB, 0, 0, 0, 0, 0, 0, 0, 2]
        #expect(SinkStatus.encode(sinks) == golden)
        #expect(try SinkStatus.decode(golden) == sinks)
        let key = UploadKey(sink: SinkID(1), log: LogName(node: NodeID(high: 2, low: 3), log: LogID(4)))
        let bytes = [1, 2, 3, 4].flatMap { [$0, 0, 0, 0, 0, 0, 0, 0] as [UInt8] }
        #expect(key.bytes == bytes)
        #expect(try UploadKey(bytes: bytes) == key)
        #expect(throws: FormatError.self) { try UploadKey(bytes: bytes + [0]) }
        #expect(throws: FormatError.self) { try UploadKey(bytes: Array(bytes.dropLast())) }
    }

    @Test func aSinkIsNamedByItsKindAndTarget() {
        #expect(SinkID(kind: "http", target: "https://a/") == SinkID(0x64DA_16DD_DFA3_E24E))
        #expect(SinkID(kind: "http", target: "https://a/") != SinkID(kind: "mqtt", target: "https://a/"))
    }

    @Test func theLargestClaimFitsAReplicatedValue() throws {
        let top = UploadClaim.greatest
        var claim = UploadClaim()
        claim.turn = .max
        claim.waitSeconds = .max
        claim.isWorking = true
        claim.settled = OffsetRanges((0..<40).map { span(top / 64 * ($0 + 1), top / 64 * ($0 + 2) - 1) })
        for index in 0..<60 {
            let low = index.isMultiple(of: 2) ? 0 : top - UInt64(UploadClaim.receiptReadings)
            let range = span(low, low + UInt64(UploadClaim.receiptReadings))
            claim.receipts.append(UploadReceipt(range: range, digest: .max))
        }
        let bytes = claim.encode()
        #expect(bytes.count <= UploadClaim.mostBytes)
        let read = try UploadClaim(bytes: bytes)
        #expect(read.settled.ranges.count == UploadClaim.mostSettled && claim.settled.contains(read.settled))
        #expect(read.receipts == claim.receipts.suffix(read.receipts.count), "the oldest are left out")
        #expect(read.receipts.count >= UploadClaim.mostReceipts)
    }

    @Test func arbitraryBytesAreAClaimOrAnError() throws {
        var random = SeededRandom(seed: 5)
        let seeds = [sample().encode(), UploadClaim().encode()]
        var read = 0
        for turn in 0..<20_000 {
            var bytes = seeds[turn % 2]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[place] = [0xFF, 0x80, 0x7F, 0].randomElement(using: &random) ?? 0
                case 2 where bytes.count > 1: bytes.remove(at: place)
                default: bytes.insert(0xFF, at: place)
                }
            }
            guard let claim = try? UploadClaim(bytes: bytes) else { continue }
            read += 1
            #expect(try UploadClaim(bytes: claim.encode()) == claim)
            #expect(claim.receipts.allSatisfy { !$0.range.isEmpty })
            _ = try? SinkStatus.decode(bytes)
        }
        #expect(read > 1000)
        for length in 0..<seeds[0].count {
            #expect(throws: FormatError.self) { try UploadClaim(bytes: Array(seeds[0][..<length])) }
        }
    }
}

@Suite struct OwnReceiptsTests {
    private func receipt(_ low: UInt64, _ high: UInt64) -> UploadReceipt {
        UploadReceipt(range: span(low, high), digest: (low..<high).reduce(0) { $0 &+ $1 &* 77 })
    }

    @Test func theOldestNeighboursAreMergedWhenThereAreTooMany() {
        var own = OwnReceipts()
        for chunk in 0..<200 as Range<UInt64> { own.add(receipt(chunk * 512, chunk * 512 + 512)) }
        #expect(own.entries.count <= UploadClaim.mostReceipts)
        let covered = OffsetRanges(own.entries.map(\.receipt.range))
        #expect(covered == OffsetRanges(span(0, 200 * 512)), "nothing is forgotten so soon")
        for entry in own.entries {
            let range = entry.receipt.range
            #expect(range.length <= UInt64(UploadClaim.receiptReadings))
            #expect(entry.receipt == receipt(range.lowerBound.rawValue, range.upperBound.rawValue))
        }
        #expect(own.entries.suffix(10).allSatisfy { $0.receipt.range.length == 512 }, "the newest stay as they are")
    }

    @Test func whatCannotBeMergedIsForgottenOldestFirst() {
        var own = OwnReceipts()
        for place in 0..<40 as Range<UInt64> { own.add(receipt(place * 1000, place * 1000 + 10)) }
        #expect(own.entries.map(\.receipt.range.lowerBound.rawValue) == (8..<40).map { $0 * 1000 })
    }

    @Test func refusalsNeitherPushOutNorJoinWhatWasTaken() {
        var own = OwnReceipts()
        for place in 0..<30 as Range<UInt64> { own.add(receipt(place * 100, place * 100 + 50)) }
        for place in 0..<30 as Range<UInt64> {
            own.add(UploadReceipt(range: span(place * 100 + 50, place * 100 + 52), digest: place, isRefused: true))
        }
        #expect(own.entries.count { !$0.receipt.isRefused } == 30)
        let refusals = own.entries.map(\.receipt).filter(\.isRefused)
        #expect(refusals.map(\.digest) == Array(14..<30), "the newest")
        for place in 30..<50 as Range<UInt64> { own.add(receipt(place * 100, place * 100 + 50)) }
        #expect(own.entries.count { $0.receipt.isRefused } == UploadClaim.mostRefusals)
        for place in 0..<20 as Range<UInt64> {
            own.add(UploadReceipt(range: span(9000 + place, 9001 + place), digest: place, isRefused: true))
        }
        let merged = own.entries.map(\.receipt.range).filter { $0.length > 2 }.filter { $0.lowerBound.rawValue >= 9000 }
        #expect(merged.allSatisfy { holding(9000, 9020).contains($0) })
        #expect(own.entries.allSatisfy { !$0.receipt.isRefused || $0.receipt.range.length <= 20 })
    }

    @Test func unsignedRefusalsAreFew() {
        var own = OwnReceipts()
        own.add(span(0, 10))
        for place in 1..<100 as Range<UInt64> { own.addRefused(span(place * 100, place * 100 + 1)) }
        #expect(own.unsigned == [span(0, 10)] && own.unsignedRefusals.count == UploadClaim.mostRefusals)
        let isSigned = own.sign(span(9900, 9901), 5)
        #expect(isSigned)
        let signed = UploadReceipt(range: span(9900, 9901), digest: 5, isRefused: true)
        #expect(own.entries.map(\.receipt) == [signed])
        #expect(own.chunksUnknown(at: 0, chunk: 512) == 2, "the one taken and the one signed")
    }

    @Test func aChunkIsKnownWithTheVersionOfTheClaimThatToldOfIt() {
        var own = OwnReceipts()
        own.add(receipt(0, 512))
        own.told()
        own.add(receipt(512, 600))
        own.add(receipt(600, 700))
        own.told()
        own.published(10)
        #expect(own.chunksUnknown(at: 10, chunk: 512) == 1)
        own.published(12)
        #expect(own.chunksUnknown(at: 11, chunk: 512) == 1)
        #expect(own.chunksUnknown(at: 12, chunk: 512) == 0)
        own.add(span(1000, 1100))
        #expect(own.chunksUnknown(at: 12, chunk: 512) == 2, "taken and not yet told of")
        #expect(own.sign(span(1000, 1100), nil) == false)
        #expect(own.chunksUnknown(at: 12, chunk: 512) == 0)
    }
}
