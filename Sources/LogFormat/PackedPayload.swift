import Model

/// The form of a commit's payload where that saves the block a unit of the card or more: bits where the plain form has bytes. Blocks of a
/// full mailbox stay plain: there time is short, and a unit is a small part of them.
///
/// | sections of the plain form | in the packed form                                                                   |
/// |----------------------------|--------------------------------------------------------------------------------------|
/// | marks                      | the same: hashes do not get smaller                                                  |
/// | series, times              | an ``IntegerColumn`` each where that is smaller                                      |
/// | definitions, records       | deflated together where that is smaller: names repeat themselves                     |
/// | all others                 | the same: so do values. By themselves, as who has read the records keeps the readings |
enum PackedPayload {
    typealias Part = (section: Section, bytes: [UInt8])

    /// Readings of a block that is worth the time: a thousand of them take some tenths of a millisecond.
    static let mostReadings = 4096
    /// A block's payload, squeezed or not, is smaller.
    static let mostBytes = 1 << 20

    /// - Parameter bytes: Of the plain block, its header among them.
    /// - Returns: `nil` where it is not worth it.
    static func packed(_ plain: [Part], readings: Int, bytes: Int) -> [UInt8]? {
        let units = Geometry.units(covering: bytes)
        guard units > 1, readings <= mostReadings else { return nil }
        var payload: [UInt8] = []
        var records: [UInt8] = []
        var columns: [UInt8] = []
        for part in plain {
            switch part.section {
            case .marks, .repeatedMarks: BlockPayload.append(part.section, part.bytes, to: &payload)
            case .definitions, .records: BlockPayload.append(part.section, part.bytes, to: &records)
            case .seriesColumn, .timeColumn:
                let column = column(part, readings)
                if column.count < part.bytes.count {
                    BlockPayload.append(
                        part.section == .timeColumn ? .packedTimes : .packedSeries, column, to: &payload)
                } else {
                    BlockPayload.append(part.section, part.bytes, to: &columns)
                }
            default: BlockPayload.append(part.section, part.bytes, to: &columns)
            }
        }
        for (section, bytes) in [(Section.squeezedRecords, records), (.squeezedColumns, columns)] {
            if let squeezed = Deflate.squeezed(bytes), squeezed.count < bytes.count {
                BlockPayload.append(section, squeezed, to: &payload)
            } else {
                payload.append(contentsOf: bytes)
            }
        }
        return Geometry.units(covering: BlockHeader.bytes + payload.count) < units ? payload : nil
    }

    /// Takes the numbers out of the bytes once more: most blocks need them in no other form.
    private static func column(_ part: Part, _ readings: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            let reader = ByteReader(part.bytes, 0..<part.bytes.count)
            IntegerColumn.write(
                part.section == .timeColumn
                    ? try times(try TimeReader(reader), readings) : try indexes(StepReader(reader), readings),
                mayRise: true, to: &bytes)
        } catch {
            preconditionFailure("a column of this block cannot be read: \(error)")
        }
        return bytes
    }

    private static func times(_ reader: consuming TimeReader, _ count: Int) throws(FormatError) -> [Int64] {
        var numbers: [Int64] = []
        numbers.reserveCapacity(count)
        for _ in 0..<count { numbers.append(try reader.next()) }
        return numbers
    }

    private static func indexes(_ reader: consuming StepReader, _ count: Int) throws(FormatError) -> [Int64] {
        var numbers: [Int64] = []
        numbers.reserveCapacity(count)
        for _ in 0..<count { numbers.append(Int64(try reader.next(limit: Limits.series))) }
        return numbers
    }
}
