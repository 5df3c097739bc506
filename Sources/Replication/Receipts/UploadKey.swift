package import Model

/// One log at one sink: what duty, receipts and watermarks are about.
package struct UploadKey: Hashable, Comparable, Sendable {
    package let sink: SinkID
    package let log: LogName

    package init(sink: SinkID, log: LogName) {
        self.sink = sink
        self.log = log
    }

    package static func < (left: UploadKey, right: UploadKey) -> Bool {
        (left.sink, left.log) < (right.sink, right.log)
    }

    /// 32 bytes: sink, node, log, each little-endian.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for part in [sink.rawValue, log.node.high, log.node.low, log.log.rawValue] { bytes.append(fixed: part) }
        return bytes
    }

    /// Reads ``bytes`` back; anything of another length is an error.
    package init(bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        let sink = SinkID(try reader.fixed(UInt64.self))
        let high = try reader.fixed(UInt64.self)
        let node = NodeID(high: high, low: try reader.fixed(UInt64.self))
        self.init(sink: sink, log: LogName(node: node, log: LogID(try reader.fixed(UInt64.self))))
        guard reader.isAtEnd else { throw .invalid("upload key") }
    }
}

extension SinkID {
    /// FNV-1a over kind, line feed and target: gateways that send to the same place agree without a word.
    package init(kind: String, target: String) {
        self.init("\(kind)\n\(target)".stableHash)
    }
}

/// One sink as a gateway has it configured.
package struct SinkStatus: Hashable, Sendable {
    package let sink: SinkID
    /// Nothing may be released anywhere that this sink does not have.
    package let isRequired: Bool
    package let isReachable: Bool

    package init(sink: SinkID, isRequired: Bool, isReachable: Bool) {
        self.sink = sink
        self.isRequired = isRequired
        self.isReachable = isReachable
    }
}

/// | field | form |
/// |---|---|
/// | version | one byte, 1 |
/// | number of sinks | varint, at most 64 |
/// | per sink | 8 bytes id, one byte: 1 required, 2 reachable; the other bits are ignored |
/// | more | ignored: fields of later versions |
extension SinkStatus {
    static let version: UInt8 = 1
    /// A gateway has a handful of sinks; so many still fit into one replicated value.
    package static let most = 64

    /// At most 578 bytes; sinks beyond ``most`` are left out.
    package static func encode(_ sinks: [SinkStatus]) -> [UInt8] {
        let kept = sinks.prefix(most)
        var bytes = [version]
        bytes.append(varint: UInt64(kept.count))
        for status in kept {
            bytes.append(fixed: status.sink.rawValue)
            bytes.append((status.isRequired ? 1 : 0) | (status.isReachable ? 2 : 0))
        }
        return bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(FormatError) -> [SinkStatus] {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard try reader.byte() == version else { throw .invalid("version of sinks") }
        var sinks: [SinkStatus] = []
        for _ in 0..<(try reader.count(limit: most, "sinks")) {
            let sink = SinkID(try reader.fixed(UInt64.self))
            let flags = try reader.byte()
            sinks.append(SinkStatus(sink: sink, isRequired: flags & 1 != 0, isReachable: flags & 2 != 0))
        }
        return sinks
    }
}
