import Model

/// Writes the values of one series as ``TrackValues`` reads them.
struct TrackWriter {
    private(set) var bytes: [UInt8] = []
    private(set) var form: UInt8 = 0

    /// Written out where a scale does not hold them; more than one in so many, and all numbers are written by their bits.
    private static let readingsPerException = 8

    /// `rows`: of this series, in order. `first`: what the group's first series has of times, where that series has as many readings.
    init(_ rows: [ColdRow], texts: [String], first: DeviceTimeTrack?) {
        switch rows[0].kind {
        case _ where rows.contains(where: { $0.kind != rows[0].kind }): writeMixed(rows, texts)
        case .number: writeNumbers(rows)
        case .flag:
            form = TrackForm.flags
            var last: UInt64 = 0
            var changes: [Int64] = []
            changes.reserveCapacity(rows.count)
            for row in rows {
                changes.append(Int64(row.bits ^ last))
                last = row.bits
            }
            IntegerColumn.write(changes, to: &bytes)
        case .text: writeTexts(rows, texts)
        }
        if rows.contains(where: { $0.quality != Quality.good.rawValue }) {
            form |= TrackForm.hasQualities
            IntegerColumn.write(rows.map { Int64($0.quality) }, to: &bytes)
        }
        let times = DeviceTimeTrack(times: rows.map { $0.deviceTime })
        form |= times.write(uptimes: rows.map { $0.uptime }, first: first, to: &bytes) << TrackForm.deviceTimes
    }

    private mutating func writeNumbers(_ rows: [ColdRow]) {
        guard let scale = Self.scale(of: rows) else {
            form = TrackForm.bits
            IntegerColumn.write(rows.map { $0.bits.ordered }, to: &bytes)
            return
        }
        form = scale
        let power = DecimalScale.powers[Int(scale)]
        var last: Int64 = 0
        var isRising = true
        var exceptions: [(gap: Int, bits: UInt64)] = []
        var lastException = 0
        var mantissas: [Int64] = []
        mantissas.reserveCapacity(rows.count)
        for (place, row) in rows.enumerated() {
            if let mantissa = DecimalScale.mantissa(of: Double(bitPattern: row.bits), power: power) {
                if mantissa < last, place > 0 { isRising = false }
                last = mantissa
            } else {
                exceptions.append((place - lastException, row.bits))
                lastException = place
            }
            mantissas.append(last)
        }
        IntegerColumn.write(mantissas, isSteady: isRising, to: &bytes)
        guard !exceptions.isEmpty else { return }
        form |= TrackForm.hasExceptions
        bytes.append(varint: UInt64(exceptions.count))
        for (gap, bits) in exceptions {
            bytes.append(varint: UInt64(gap))
            bytes.append(fixed: bits)
        }
    }

    /// The fewest places that hold nearly all; `nil` where none do.
    private static func scale(of rows: [ColdRow]) -> UInt8? {
        var scale: UInt8 = 0
        var left = rows.count / readingsPerException
        for row in rows {
            let number = Double(bitPattern: row.bits)
            if DecimalScale.mantissa(of: number, power: DecimalScale.powers[Int(scale)]) != nil { continue }
            if let wider = DecimalScale.fewest(for: number), wider > scale {
                scale = wider
            } else {
                left -= 1
                if left < 0 { return nil }
            }
        }
        // What was a decimal with fewer places is seldom none with more: very large numbers alone.
        let power = DecimalScale.powers[Int(scale)]
        let others = rows.count { DecimalScale.mantissa(of: Double(bitPattern: $0.bits), power: power) == nil }
        return others <= rows.count / readingsPerException ? scale : nil
    }

    private mutating func writeTexts(_ rows: [ColdRow], _ texts: [String]) {
        form = TrackForm.texts
        var places: [UInt64: Int64] = [:]
        var known: [UInt64] = []
        var column: [Int64] = []
        column.reserveCapacity(rows.count)
        for row in rows {
            if places[row.bits] == nil {
                places[row.bits] = Int64(known.count)
                known.append(row.bits)
            }
            column.append(places[row.bits] ?? 0)
        }
        bytes.append(varint: UInt64(known.count))
        for text in known { bytes.append(text: texts[Int(text)]) }
        IntegerColumn.write(column, to: &bytes)
    }

    private mutating func writeMixed(_ rows: [ColdRow], _ texts: [String]) {
        form = TrackForm.mixed
        var values = ValueWriter()
        var state = SeriesValueState(scale: 0)
        for row in rows {
            switch row.kind {
            case .number: values.append(.number(Double(bitPattern: row.bits)), state: &state)
            case .flag: values.append(.flag(row.bits != 0), state: &state)
            case .text: values.append(.text(texts[Int(row.bits)]), state: &state)
            }
        }
        bytes.append(contentsOf: values.bytes)
    }
}
