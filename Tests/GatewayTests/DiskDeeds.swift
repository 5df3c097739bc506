import FoundationEssentials

/// What `strace` saw a gateway do to its ring, with every byte, and the messages that it told the broker to forget; in order.
struct DiskDeeds {
    enum Deed {
        case write(position: Int, bytes: [UInt8])
        case sync
        /// A message with this payload under the topic `load/DEVICE`.
        case acknowledged(device: String, text: String)
    }

    private(set) var deeds: [Deed] = []

    /// The words that start a program so that all of its writes are written down whole: the largest is 256 KiB.
    static func command(output: String) -> [String] {
        ["/usr/bin/strace", "-D", "-f", "--seccomp-bpf", "-ttt", "-yy", "-xx", "-s", "300000", "-o", output]
            + ["-e", "trace=read,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,fdatasync"]
    }

    init(contentsOf path: String, ring: String, brokerPort: Int) throws {
        let log = try StraceLog(contentsOf: path)
        var incoming: [String: PacketStream] = [:]
        var outgoing: [String: PacketStream] = [:]
        var published: [String: [Int: (device: String, text: String)]] = [:]
        for call in log.calls where call.result >= 0 {
            if call.target == ring {
                switch call.name {
                case "pwrite64": deeds.append(.write(position: call.position ?? 0, bytes: call.quickBytes))
                case "fdatasync": deeds.append(.sync)
                default: break
                }
            } else if call.target.hasSuffix("->127.0.0.1:\(brokerPort)]"), call.result > 0 {
                let bytes = Array(call.bytes.prefix(call.result))
                if call.name.hasPrefix("re") {
                    if call.arguments.contains("MSG_PEEK") { continue }
                    for packet in incoming[call.target, default: PacketStream()].take(bytes) {
                        guard let id = packet.publishedID, let message = packet.message else { continue }
                        published[call.target, default: [:]][id] = message
                    }
                } else {
                    for packet in outgoing[call.target, default: PacketStream()].take(bytes) {
                        guard let id = packet.acknowledgedID, let message = published[call.target]?[id] else {
                            continue
                        }
                        deeds.append(.acknowledged(device: message.device, text: message.text))
                    }
                }
            }
        }
    }
}

extension StraceLog.Call {
    /// ``bytes`` of millions, without a string for each.
    fileprivate var quickBytes: [UInt8] {
        var text = arguments
        return text.withUTF8 { buffer in
            var bytes: [UInt8] = []
            bytes.reserveCapacity(buffer.count / 4)
            guard var place = buffer.firstIndex(of: UInt8(ascii: "\"")) else { return [] }
            place += 1
            // "\x41\x42": four characters for each byte.
            while place + 3 < buffer.count, buffer[place] == UInt8(ascii: "\\") {
                bytes.append(Self.digit(buffer[place + 2]) << 4 | Self.digit(buffer[place + 3]))
                place += 4
            }
            return bytes
        }
    }

    private static func digit(_ character: UInt8) -> UInt8 { character < 58 ? character - 48 : character - 87 }
}
