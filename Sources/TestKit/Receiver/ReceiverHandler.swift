import CZlib
import Glibc
import NIOCore
import NIOHTTP1

/// One connection of the receiver.
final class ReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Far above any batch: 512 readings are some 80 KiB.
    private static let bodyLimit = 8 << 20

    private struct Answer {
        var status: HTTPResponseStatus
        var headers: HTTPHeaders = [:]
        var body = ""
    }

    private let store: ReceiverStore
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(store: ReceiverStore) {
        self.store = store
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let part):
            if body.count < Self.bodyLimit { body.append(contentsOf: part.readableBytesView) }
        case .end:
            if let head { received(head, context: context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func received(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        var headers: [String: String] = [:]
        for (name, value) in head.headers { headers[name.lowercased()] = value }
        store.began(headers: headers)
        let mode = store.mode
        let batch: ReceiverContract.Batch
        do throws(ReceiverContract.Fault) {
            guard head.method == .POST else { throw ReceiverContract.Fault(message: "method \(head.method)") }
            if headers["content-encoding"] == "gzip" {
                guard let plain = gunzip(body, limit: Self.bodyLimit) else {
                    throw ReceiverContract.Fault(message: "not gzip")
                }
                body = plain
            }
            batch = try ReceiverContract.read(body, headers: headers)
        } catch {
            store.fault(error.message)
            return answer(Answer(status: .badRequest, body: error.message), head, context)
        }
        guard let made = act(mode, batch, headers, context) else { return }
        answer(made, head, context)
    }

    /// `nil` where no answer goes out.
    private func act(
        _ mode: ReceiverMode, _ batch: ReceiverContract.Batch, _ headers: [String: String],
        _ context: ChannelHandlerContext
    ) -> Answer? {
        let json: HTTPHeaders = ["Content-Type": "application/json"]
        switch mode {
        case .poison(let status, let device) where batch.readings.contains { $0.device == device }:
            return Answer(status: HTTPResponseStatus(statusCode: status), body: "I do not like \(device)")
        case .accept, .poison:
            store.store(batch.received, headers: headers)
            return Answer(status: .ok, headers: json, body: batch.echo(base: batch.base))
        case .acceptSilently:
            store.store(batch.received, headers: headers)
            return Answer(status: .noContent)
        case .status(let status):
            return Answer(status: HTTPResponseStatus(statusCode: status), body: "as told")
        case .tooMany(let retryAfter):
            let headers: HTTPHeaders = ["Retry-After": retryAfter, "Date": "Sun, 06 Nov 1994 08:49:37 GMT"]
            return Answer(status: .tooManyRequests, headers: headers)
        case .hang:
            return nil
        case .resetAfterCommit:
            store.store(batch.received, headers: headers)
            reset(context)
            return nil
        case .redirect(let target):
            return Answer(status: .found, headers: ["Location": target])
        case .captivePortal:
            let page = "<!DOCTYPE html><html><title>Welcome to the hotel</title></html>"
            return Answer(status: .ok, headers: ["Content-Type": "text/html; charset=utf-8"], body: page)
        case .wrongEcho:
            store.store(batch.received, headers: headers)
            return Answer(status: .ok, headers: json, body: batch.echo(base: batch.base + 1))
        }
    }

    private func answer(_ answer: Answer, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var headers = answer.headers
        if answer.status != .noContent { headers.add(name: "Content-Length", value: String(answer.body.utf8.count)) }
        let response = HTTPResponseHead(version: head.version, status: answer.status, headers: headers)
        let parts: [HTTPServerResponsePart] = [
            .head(response), .body(.byteBuffer(ByteBuffer(string: answer.body))), .end(nil),
        ]
        let latency = store.latency
        guard latency > 0 else { return send(parts, context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .milliseconds(latency)) {
            let (handler, context) = bound.value
            handler.send(parts, context)
        }
    }

    private func send(_ parts: [HTTPServerResponsePart], _ context: ChannelHandlerContext) {
        for part in parts { context.write(wrapOutboundOut(part), promise: nil) }
        context.flush()
    }

    /// Closes without a farewell: the peer sees a reset.
    private func reset(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let options = context.channel as? any SocketOptionProvider
        let set = options?.setSoLinger(linger(l_onoff: 1, l_linger: 0)) ?? context.eventLoop.makeSucceededVoidFuture()
        set.whenComplete { _ in bound.value.close(promise: nil) }
    }
}

/// The content of one gzip member; `nil` where it is none, or larger than `limit`.
private func gunzip(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
    var stream = z_stream()
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
    defer { inflateEnd(&stream) }
    var input = bytes
    var result: Int32 = Z_OK
    let output = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
        input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = buffer.baseAddress
            stream.avail_out = UInt32(buffer.count)
            result = inflate(&stream, Z_FINISH)
        }
        count = limit - Int(stream.avail_out)
    }
    return result == Z_STREAM_END ? output : nil
}
