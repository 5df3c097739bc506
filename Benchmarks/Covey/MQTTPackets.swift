/// One packet of MQTT, as far as the tap looks at it.
struct MQTTPacket {
    /// Kind and flags.
    let first: UInt8
    let body: ArraySlice<UInt8>

    private var kind: UInt8 { first >> 4 }

    private func number(at offset: Int) -> UInt16? {
        guard body.count >= offset + 2 else { return nil }
        let place = body.startIndex + offset
        return UInt16(body[place]) << 8 | UInt16(body[place + 1])
    }

    /// Of a CONNECT: 4 for 3.1.1, 5 for 5.
    var protocolVersion: UInt8? {
        guard kind == 1, let length = number(at: 0), body.count > 2 + Int(length) else { return nil }
        return body[body.startIndex + 2 + Int(length)]
    }

    /// The packet that a PUBACK acknowledges.
    var acknowledged: UInt16? { kind == 4 ? number(at: 0) : nil }

    /// Of a PUBLISH at QoS 1 whose payload is a decimal number.
    func publication(withProperties: Bool) -> (packetID: UInt16, number: Int)? {
        guard kind == 3, first >> 1 & 3 == 1, let topic = number(at: 0) else { return nil }
        guard let packetID = number(at: 2 + Int(topic)) else { return nil }
        var payload = body.dropFirst(4 + Int(topic))
        if withProperties {
            guard let (length, size) = Self.length(payload) else { return nil }
            payload = payload.dropFirst(size + length)
        }
        return Int(String(decoding: payload, as: UTF8.self)).map { (packetID, $0) }
    }

    /// A length of 1 to 4 bytes, and how many these are; `nil` where they are not all there.
    static func length(_ bytes: ArraySlice<UInt8>) -> (value: Int, size: Int)? {
        var value = 0
        for (index, byte) in bytes.prefix(4).enumerated() {
            value |= Int(byte & 0x7F) << (7 * index)
            if byte & 0x80 == 0 { return (value, index + 1) }
        }
        return nil
    }
}

/// Cuts one direction of a connection into packets.
struct MQTTPackets {
    private var rest: [UInt8] = []

    mutating func take(_ bytes: ArraySlice<UInt8>) -> [MQTTPacket] {
        rest += bytes
        var packets: [MQTTPacket] = []
        var left = rest[...]
        while let first = left.first, let (length, size) = MQTTPacket.length(left.dropFirst()),
            left.count >= 1 + size + length
        {
            packets.append(MQTTPacket(first: first, body: left.dropFirst(1 + size).prefix(length)))
            left = left.dropFirst(1 + size + length)
        }
        rest = Array(left)
        return packets
    }
}
