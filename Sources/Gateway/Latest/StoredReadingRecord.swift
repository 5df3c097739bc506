import Model

/// One reading as the key-value store keeps it: a version byte, then fields of fixed width and texts behind their length. Decoding is
/// total: what is not such a record gives `nil`.
enum StoredReadingRecord {
    private static let version: UInt8 = 1

    static func encode(_ stored: StoredReading) -> [UInt8] {
        let reading = stored.reading
        var writer = RecordWriter(version: Self.version)
        writer.integer(stored.log.rawValue)
        writer.integer(stored.offset.rawValue)
        writer.text(reading.series.device.rawValue)
        writer.text(reading.series.metric)
        writer.text(reading.series.unit ?? "")
        writer.integer(reading.stamp.boot.high)
        writer.integer(reading.stamp.boot.low)
        writer.integer(UInt64(bitPattern: reading.stamp.uptime.rawValue))
        writer.integer(UInt64(bitPattern: reading.stamp.wallOffset.rawValue))
        writer.byte(reading.stamp.isTrusted ? 1 : 0)
        writer.byte(reading.quality.rawValue)
        writer.byte(reading.deviceTime == nil ? 0 : 1)
        writer.integer(UInt64(bitPattern: reading.deviceTime?.rawValue ?? 0))
        switch reading.value {
        case .number(let number):
            writer.byte(0)
            writer.integer(number.bitPattern)
        case .flag(let flag):
            writer.byte(1)
            writer.byte(flag ? 1 : 0)
        case .text(let text):
            writer.byte(2)
            writer.text(text)
        }
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) -> StoredReading? {
        var reader = RecordReader(bytes)
        guard reader.byte() == version, let log = reader.integer(), let offset = reader.integer(),
            let device = reader.text().flatMap({ DeviceID(validating: $0) }), let metric = reader.text(),
            let unit = reader.text(), let high = reader.integer(), let low = reader.integer(),
            let uptime = reader.integer(), let wallOffset = reader.integer(), let isTrusted = reader.byte(),
            let quality = reader.byte().flatMap({ Quality(rawValue: $0) }), let hasDeviceTime = reader.byte(),
            let deviceTime = reader.integer(), let value = reader.value()
        else { return nil }
        let stamp = Stamp(
            boot: BootID(high: high, low: low), uptime: Microseconds(Int64(bitPattern: uptime)),
            wallOffset: Microseconds(Int64(bitPattern: wallOffset)), isTrusted: isTrusted == 1)
        let reading = Reading(
            series: Series(device: device, metric: metric, unit: unit.isEmpty ? nil : unit), stamp: stamp, value: value,
            quality: quality, deviceTime: hasDeviceTime == 1 ? Milliseconds(Int64(bitPattern: deviceTime)) : nil)
        return StoredReading(log: LogID(log), offset: Offset(offset), reading: reading)
    }
}

private struct RecordWriter {
    private(set) var bytes: [UInt8]

    init(version: UInt8) {
        bytes = [version]
    }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func integer(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }

    mutating func text(_ text: String) {
        let utf8 = text.utf8.prefix(Int(UInt16.max))
        byte(UInt8(truncatingIfNeeded: utf8.count))
        byte(UInt8(truncatingIfNeeded: utf8.count >> 8))
        bytes.append(contentsOf: utf8)
    }
}

private struct RecordReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func integer() -> UInt64? {
        guard rest.count >= 8 else { return nil }
        let value = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        rest = rest.dropFirst(8)
        return value
    }

    mutating func text() -> String? {
        guard let low = byte(), let high = byte() else { return nil }
        let count = Int(low) | Int(high) << 8
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return String(decoding: rest.prefix(count), as: UTF8.self)
    }

    mutating func value() -> Value? {
        switch byte() {
        case 0: integer().map { .number(Double(bitPattern: $0)) }
        case 1: byte().map { .flag($0 == 1) }
        case 2: text().map { .text($0) }
        default: nil
        }
    }
}
