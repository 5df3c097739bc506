import Model
import NIOCore

/// On a stream each message is preceded by its length: four bytes, big-endian. The first message is a ``StreamHello``.
struct FrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    /// A message of the machines above has 128 KiB at most.
    static let mostBytes = 160 << 10

    struct TooLong: Error {}

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return .needMoreData }
        guard length <= UInt32(Self.mostBytes) else { throw TooLong() }
        guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 4)
        guard let frame = buffer.readSlice(length: Int(length)) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(frame))
        return .continue
    }

    mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        while try decode(context: context, buffer: &buffer) == .continue {}
        return .needMoreData
    }

    static func encode(_ frame: [UInt8], _ allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 4 + frame.count)
        buffer.writeInteger(UInt32(frame.count))
        buffer.writeBytes(frame)
        return buffer
    }
}

/// The first message on a stream: who calls.
///
/// | byte | meaning |
/// |---|---|
/// | 0 | 1: version |
/// | 1–24 | node id and start id of the caller's link, little-endian |
/// | 25– | text: where peers reach the caller |
/// | more | ignored: fields of later versions |
struct StreamHello: Hashable {
    static let version: UInt8 = 1

    let node: NodeID
    let start: StartID
    let address: PeerAddress

    init(node: NodeID, start: StartID, address: PeerAddress) {
        self.node = node
        self.start = start
        self.address = address
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [Self.version]
        for part in [node.high, node.low, start.rawValue] { bytes.append(fixed: part) }
        bytes.append(text: address.text)
        return bytes
    }

    init(_ bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard try reader.byte() == Self.version else { throw .invalid("version of a stream") }
        node = NodeID(high: try reader.fixed(UInt64.self), low: try reader.fixed(UInt64.self))
        start = StartID(try reader.fixed(UInt64.self))
        guard let address = PeerAddress(try reader.text(limit: PeerAddress.mostBytes, "address")) else {
            throw .invalid("address")
        }
        self.address = address
    }
}
