package import Model

/// Says that a sink took these readings of a log, or will not have any of them, and what they were.
package struct UploadReceipt: Hashable, Sendable {
    /// Not empty.
    package let range: Range<Offset>
    /// The run digest of all readings of the range.
    package let digest: UInt64
    /// The sink refused each of them for its content: it has none.
    package let isRefused: Bool

    package init(range: Range<Offset>, digest: UInt64, isRefused: Bool = false) {
        self.range = range
        self.digest = digest
        self.isRefused = isRefused
    }
}

/// What a gateway says of one log at one sink.
///
/// Only the receipts authorise anything, and only after their digest matched what the reader of the claim holds itself. The rest tells
/// whom work waits for.
package struct UploadClaim: Hashable, Sendable {
    /// Nothing below needs an upload from here: the sink has it, refused it, or it is gone. Never goes back.
    package var watermark: Offset = .zero
    /// Further such ranges above the watermark, at most ``mostSettled``; may understate.
    package var settled = OffsetRanges()
    /// Of own uploads, oldest first, at most ``mostReceipts`` and ``mostRefusals``.
    package var receipts: [UploadReceipt] = []
    /// Rises with every claim that is published while its writer works.
    package var turn: UInt64 = 0
    /// The sink asked to wait so long from the writing of the claim on; 0 is no wait.
    package var waitSeconds: UInt32 = 0
    package var isWorking = false

    package init() {}

    /// All that the claim says to need no upload.
    package var ranges: OffsetRanges {
        var ranges = settled
        ranges.insert(.zero..<watermark)
        return ranges
    }
}

/// | field | form |
/// |---|---|
/// | version | one byte, 1 |
/// | flags | one byte: 1 working; the other bits are ignored |
/// | turn, seconds to wait, watermark | varint each |
/// | settled ranges | as ``OffsetRanges`` has them, at most 16 |
/// | number of receipts | varint, at most 48 |
/// | per receipt | signed varint from the end of the one before (from 0 for the first), varint 2·(length - 1), plus 1 where refused, 8 bytes digest |
/// | more | ignored: fields of later versions |
extension UploadClaim {
    static let version: UInt8 = 1
    /// Islands above the watermark: as many as an upload machine makes.
    package static let mostSettled = 16
    /// Receipts of what was taken in one claim: a value must fit a datagram.
    package static let mostReceipts = 32
    /// Receipts of what was refused in one claim, beside the others: refusals are short and many, and must not push those out.
    package static let mostRefusals = 16
    /// Readings of one receipt: older receipts are merged up to here, and a reader must digest them at one go.
    package static let receiptReadings = 16 * Limits.chunkReadings
    /// No sink may stop an upload for longer.
    package static let mostWait: UInt32 = 3600
    /// No log lives to have so many readings; keeps every claim below ``mostBytes``.
    package static let greatest: UInt64 = 1 << 48
    package static let mostBytes = 900

    /// The oldest receipts are left out where the bytes would be too many, which takes leaps of 2^20 readings between most of them.
    package func encode() -> [UInt8] {
        let kept = receipts.suffix(Self.mostReceipts + Self.mostRefusals)
        for count in stride(from: kept.count, to: 0, by: -1) {
            let bytes = encode(kept.suffix(count))
            if bytes.count <= Self.mostBytes { return bytes }
        }
        return encode([])
    }

    private func encode(_ kept: ArraySlice<UploadReceipt>) -> [UInt8] {
        var bytes: [UInt8] = [Self.version, isWorking ? 1 : 0]
        bytes.append(varint: turn)
        bytes.append(varint: UInt64(min(waitSeconds, Self.mostWait)))
        bytes.append(varint: watermark.rawValue)
        settled.append(to: &bytes, limit: Self.mostSettled)
        bytes.append(varint: UInt64(kept.count))
        var end: UInt64 = 0
        for receipt in kept {
            bytes.append(signed: Int64(receipt.range.lowerBound.rawValue) - Int64(end))
            bytes.append(varint: (receipt.range.length - 1) * 2 + (receipt.isRefused ? 1 : 0))
            bytes.append(fixed: receipt.digest)
            end = receipt.range.upperBound.rawValue
        }
        return bytes
    }

    package init(bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard try reader.byte() == Self.version else { throw .invalid("version of a claim") }
        isWorking = try reader.byte() & 1 != 0
        turn = try reader.varint()
        waitSeconds = UInt32(try reader.count(limit: Int(Self.mostWait), "wait"))
        watermark = Offset(UInt64(try reader.count(limit: Int(Self.greatest), "watermark")))
        settled = try OffsetRanges(from: &reader, limit: Self.mostSettled)
        guard settled.end.rawValue <= Self.greatest, settled.lowest ?? watermark >= watermark else {
            throw .invalid("settled ranges")
        }
        var end: Int64 = 0
        for _ in 0..<(try reader.count(limit: Self.mostReceipts + Self.mostRefusals, "receipts")) {
            let (start, isOver) = end.addingReportingOverflow(try reader.signed())
            let length = try reader.count(limit: 2 * Self.receiptReadings - 1, "readings of a receipt")
            guard !isOver, start >= 0, start <= Int64(Self.greatest) else { throw .invalid("receipt") }
            end = start + Int64(length / 2 + 1)
            let range = Offset(UInt64(start))..<Offset(UInt64(end))
            let digest = try reader.fixed(UInt64.self)
            receipts.append(UploadReceipt(range: range, digest: digest, isRefused: length & 1 != 0))
        }
    }
}
