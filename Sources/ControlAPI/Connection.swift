import Model
import NIOCore
import NIOHTTP1

/// One caller: reads a request, lets it be answered, reads the next. Requests sent ahead wait in the socket.
struct Connection: Sendable {
    typealias Wire = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    private let channel: any Channel
    private let responder: Responder
    private let limits: ControlLimits

    init(_ channel: any Channel, responder: Responder) {
        self.channel = channel
        self.responder = responder
        limits = responder.limits
    }

    /// The channel reads nothing before it is served: until then nobody may hold it in a wrapper, which must not be dropped unused, as
    /// happens to a caller that comes while the server ends.
    static func configure(_ limits: ControlLimits) -> @Sendable (any Channel) -> EventLoopFuture<any Channel> {
        { channel in
            channel.eventLoop.makeCompletedFuture {
                var decoding = NIOHTTPDecoderLimitConfiguration()
                decoding.maxHeaderFieldSize = limits.headBytes
                decoding.maxHeaderListSize = limits.headBytes
                decoding.maxHeaderFieldCount = 64
                let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: decoding)
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(HTTPResponseEncoder())
                try pipeline.addHandler(ByteToMessageHandler(decoder))
                return channel
            }
        }
    }

    /// Returns when the caller is gone or the task is cancelled. Never throws: a caller's faults are his own.
    func serve(isWelcome: Bool) async {
        await withTaskGroup(of: Void.self) { group in
            // Ends as soon as the caller hangs up, so that a stream which has nothing to write ends too.
            group.addTask { try? await channel.closeFuture.get() }
            group.addTask { await exchange(isWelcome: isWelcome) }
            await group.next()
            group.cancelAll()
        }
    }

    private func exchange(isWelcome: Bool) async {
        let channel = channel
        guard
            let wire = try? await channel.eventLoop.submit({ try Wire(wrappingChannelSynchronously: channel) }).get()
        else { return }
        try? await wire.executeThenClose { inbound, _ in
            try await channel.setOption(.autoRead, value: true).get()
            guard isWelcome else {
                return try await responder.refuse(
                    ControlError(
                        .unavailable, "\(limits.connections) connections are open already", hint: "close one of them"))
            }
            var parts = inbound.makeAsyncIterator()
            while let head = try await nextRequest(&parts) {
                guard try await responder.answer(head) else { return }
            }
        }
    }

    /// `nil` where the caller has no more. A request that cannot be read is answered here, and is the last.
    private func nextRequest(
        _ parts: inout NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator
    ) async throws -> HTTPRequestHead? {
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(limits.requestTime)) { channel.close(promise: nil) }
        defer { timer.cancel() }
        do {
            return try await readRequest(&parts)
        } catch let error as ControlError {
            try await responder.refuse(error)
        } catch let error as HTTPParserError where error != .invalidEOFState {
            let isTooLong = error == .headerOverflow
            try await responder.refuse(
                isTooLong
                    ? ControlError(.headTooLarge, "a request's fields have at most \(limits.headBytes) bytes")
                    : ControlError(.badRequest, "not HTTP/1.1: \(error)"))
        }
        return nil
    }

    private func readRequest(
        _ parts: inout NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator
    ) async throws -> HTTPRequestHead? {
        guard case .head(let head)? = try await parts.next() else { return nil }
        guard head.uri.utf8.count <= limits.headBytes else {
            throw ControlError(.headTooLarge, "a request line has at most \(limits.headBytes) bytes")
        }
        var bodyBytes = 0
        while let part = try await parts.next() {
            switch part {
            case .head: throw ControlError(.badRequest, "a request within a request")
            case .body(let bytes):
                bodyBytes += bytes.readableBytes
                guard bodyBytes <= limits.bodyBytes else {
                    throw ControlError(.bodyTooLarge, "a request's body has at most \(limits.bodyBytes) bytes")
                }
            case .end: return head
            }
        }
        return nil
    }
}
