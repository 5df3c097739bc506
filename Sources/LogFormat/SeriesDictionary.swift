package import Model

/// A series as a segment's dictionary knows it.
package struct SeriesDefinition: Hashable, Sendable {
    package let series: Series
    /// Decimal places that a block assumes for the series' first number, 0 to ``DecimalScale/most``.
    package let scale: UInt8

    package init(series: Series, scale: UInt8) {
        self.series = series
        self.scale = scale
    }

    /// Bytes that it takes in a block at most, its index included.
    package static func mostBytes(of series: Series) -> Int {
        5 + 1 + 6 + series.device.rawValue.utf8.count + series.metric.utf8.count + (series.unit?.utf8.count ?? 0)
    }

    static func isReadable(_ series: Series) -> Bool {
        series.device.rawValue.utf8.count <= textLimit && series.metric.utf8.count <= textLimit
            && (series.unit?.utf8.count ?? 0) <= textLimit
    }

    func write(to bytes: inout [UInt8], index: Int) {
        bytes.append(varint: UInt64(index))
        bytes.append(scale | (series.unit == nil ? 0 : 0x80))
        bytes.append(text: series.device.rawValue)
        bytes.append(text: series.metric)
        if let unit = series.unit { bytes.append(text: unit) }
    }

    static func read(from reader: inout ByteReader) throws(FormatError) -> (index: Int, definition: SeriesDefinition) {
        let index = try reader.count(limit: Limits.series - 1, "series index")
        let byte = try reader.byte()
        guard byte & 0x7F <= DecimalScale.most else { throw .invalid("decimal places") }
        let device = try reader.text(limit: textLimit, "device name")
        let metric = try reader.text(limit: textLimit, "metric name")
        let unit = byte & 0x80 == 0 ? nil : try reader.text(limit: textLimit, "unit")
        let series = Series(device: DeviceID(device), metric: metric, unit: unit)
        return (index, SeriesDefinition(series: series, scale: byte & 0x7F))
    }

    /// Twice the longest name of today, so that a newer version's names can still be read.
    private static let textLimit = 256
}

/// What a reader knows of a segment's series. A definition lost to damage leaves a hole.
package struct SeriesTable: Sendable {
    package private(set) var definitions: [SeriesDefinition?] = []
    /// Of each definition and its index.
    private var checks: [UInt32?] = []

    package init() {}

    /// What a block says of this series that it uses, summed up with the others; `nil` where it is not known.
    func check(of index: Int) -> UInt32? { index < checks.count ? checks[index] : nil }

    package subscript(index: Int) -> SeriesDefinition? { index < definitions.count ? definitions[index] : nil }

    /// `index` is below ``Limits/series``, as the reader of definitions sees to.
    package mutating func define(_ index: Int, _ definition: SeriesDefinition) {
        if definitions.count <= index {
            definitions.append(contentsOf: repeatElement(nil, count: index + 1 - definitions.count))
            checks.append(contentsOf: repeatElement(nil, count: index + 1 - checks.count))
        }
        definitions[index] = definition
        var bytes: [UInt8] = []
        definition.write(to: &bytes, index: index)
        checks[index] = CRC32C.checksum(bytes, 0..<bytes.count)
    }
}

/// What the writer of a segment knows of its series: every series of a segment is written out once or twice, then named by
/// index.
package struct SeriesDictionary: Sendable {
    package private(set) var table = SeriesTable()
    private var indexes: [Series: Int] = [:]
    /// The next new series gets this index; beyond every one that a damaged part of the segment may have used.
    private var next = 0
    /// Bytes that all definitions take in a footer at most.
    package private(set) var bytes = 0
    /// First written in the last block; written once more in the next, so that no single bad block takes a name along.
    var repeats: [Int] = []

    package init() {}

    /// Goes on from what a reader found. New series get indexes from `floor` on.
    package init(continuing table: SeriesTable, floor: Int) {
        for case (let index, let definition?) in table.definitions.enumerated() {
            self.table.define(index, definition)
            indexes[definition.series] = index
            bytes += SeriesDefinition.mostBytes(of: definition.series)
        }
        next = max(floor, table.definitions.count)
    }

    func index(of series: Series) -> Int? { indexes[series] }
    /// Series that still fit.
    var room: Int { Limits.series - next }

    /// There must be ``room``.
    mutating func define(_ series: Series, scale: UInt8) -> Int {
        let index = next
        precondition(index < Limits.series, "a dictionary of \(index) series is full")
        next += 1
        indexes[series] = index
        table.define(index, SeriesDefinition(series: series, scale: scale))
        bytes += SeriesDefinition.mostBytes(of: series)
        repeats.append(index)
        return index
    }
}

/// Numbers as whole multiples of a power of ten: what sensors send as decimal text is exactly that.
enum DecimalScale {
    /// Sensors give a few places; more would only slow the search for numbers that are no decimals at all.
    static let most: UInt8 = 9
    /// Whole numbers up to here are exact in a `Double`.
    static let mostMantissa = 9_007_199_254_740_992.0
    static let powers: [Double] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

    /// The mantissa with which `number` is exactly mantissa ÷ 10^scale, sign of zero included.
    @inline(__always)
    static func mantissa(of number: Double, power: Double) -> Int64? {
        let scaled = (number * power).rounded()
        guard scaled.magnitude <= mostMantissa else { return nil }
        let mantissa = Int64(scaled)
        return (Double(mantissa) / power).bitPattern == number.bitPattern ? mantissa : nil
    }

    /// The fewest places that give `number` exactly.
    static func fewest(for number: Double) -> UInt8? {
        for scale in 0...Int(most) where mantissa(of: number, power: powers[scale]) != nil { return UInt8(scale) }
        return nil
    }
}
