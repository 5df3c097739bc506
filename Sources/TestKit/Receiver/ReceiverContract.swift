import FoundationEssentials
import Model

/// Reads native batches, and says what is wrong with one that does not keep the contract.
enum ReceiverContract {
    struct Fault: Error {
        let message: String
    }

    struct Batch: Decodable {
        let v: Int
        let node: String
        let gateway: String
        let log: String
        let base: UInt64
        let count: Int
        let readings: [Reading]
    }

    struct Reading: Decodable {
        let offset: UInt64
        let device: String
        let metric: String
        let unit: String?
        let t: Int64
        let value: JSONValue
        let quality: String
    }

    /// Number, boolean or text.
    struct JSONValue: Decodable {
        let value: Value

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let flag = try? container.decode(Bool.self) {
                value = .flag(flag)
            } else if let number = try? container.decode(Double.self) {
                value = .number(number)
            } else {
                value = .text(try container.decode(String.self))
            }
        }
    }

    static func read(_ body: [UInt8], headers: [String: String]) throws(Fault) -> Batch {
        let batch: Batch
        do {
            batch = try JSONDecoder().decode(Batch.self, from: Data(body))
        } catch {
            throw Fault(message: "not a native batch: \(error)")
        }
        try check(batch.v == 1, "version \(batch.v)")
        try check(NodeID(hex: batch.node) != nil, "node \(batch.node)")
        try check(LogID(hex: batch.log) != nil, "log \(batch.log)")
        let isCounted = batch.count == batch.readings.count && batch.count > 0
        try check(isCounted, "count \(batch.count) of \(batch.readings.count)")
        try check(!body.contains(UInt8(ascii: "\n")), "more than one line")
        for (index, reading) in batch.readings.enumerated() {
            try check(reading.offset == batch.base + UInt64(index), "offset \(reading.offset) at place \(index)")
            try check(Quality.allCases.contains { $0.word == reading.quality }, "quality \(reading.quality)")
            try check(!reading.device.isEmpty && !reading.metric.isEmpty, "a reading without device or metric")
        }
        let chunk = UInt64(Limits.chunkReadings)
        let last = batch.base + UInt64(batch.count) - 1
        try check(batch.base / chunk == last / chunk, "\(batch.base)-\(batch.count) crosses a chunk boundary")
        let key = "\(batch.node)/\(batch.log)/\(batch.base)-\(batch.count)"
        let givenKey = headers["idempotency-key"] ?? "missing"
        try check(givenKey == key, "idempotency key \(givenKey), not \(key)")
        let type = headers["content-type"] ?? "missing"
        try check(type == "application/json", "content type \(type)")
        return batch
    }

    private static func check(_ condition: Bool, _ message: String) throws(Fault) {
        guard condition else { throw Fault(message: message) }
    }
}

extension ReceiverContract.Batch {
    var received: [ReceivedReading] {
        readings.map {
            ReceivedReading(
                gateway: gateway, node: node, log: log, offset: $0.offset, device: $0.device, metric: $0.metric,
                unit: $0.unit, time: Milliseconds($0.t), value: $0.value.value, quality: $0.quality)
        }
    }

    func echo(base: UInt64) -> String { #"{"log":"\#(log)","base":\#(base),"count":\#(count)}"# }
}
