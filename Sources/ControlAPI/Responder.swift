import Model
import NIOCore
import NIOHTTP1

/// Answers requests on one connection. One chunk is under way at a time: a caller that reads slowly holds up its own stream alone, and
/// after ``ControlLimits/writeTime`` loses its connection.
struct Responder: Sendable {
    let channel: any Channel
    let surface: any ControlSurface
    let version: String
    let gate: CallGate
    let limits: ControlLimits
    /// Whether the caller may order anything, and not only look.
    let takesOrders: Bool

    private static let json = "application/json"

    /// Whether the connection can take another request. Throws where it broke, or the task was cancelled.
    func answer(_ request: HTTPRequestHead) async throws -> Bool {
        do {
            switch request.method {
            case .GET, .HEAD: return try await answer(Route(target: request.uri, limits: limits), request)
            case .POST: return try await obey(ControlOrder(target: request.uri, limits: limits), request)
            default: throw ControlError(.methodNotAllowed, "\(request.method.rawValue) is not for this; GET is")
            }
        } catch let error as ControlError {
            return try await send(
                HTTPResponseStatus(statusCode: error.code.rawValue), Self.json, error.json, for: request)
        }
    }

    /// Answers what could not be read as a request, and ends the connection.
    func refuse(_ error: ControlError) async throws {
        let request = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/", headers: ["connection": "close"])
        _ = try await send(HTTPResponseStatus(statusCode: error.code.rawValue), Self.json, error.json, for: request)
    }

    private func answer(_ route: Route, _ request: HTTPRequestHead) async throws -> Bool {
        let surface = surface
        switch route {
        case .query(let query):
            let lines = try await ask { try await surface.query(query) }
            return try await stream(lines, for: request, isLive: false)
        case .tail(let globs):
            let lines = try await ask { try await surface.tail(globs) }
            return try await stream(lines, for: request, isLive: true)
        case .health:
            let report = try await ask { try await surface.health() }
            return try await send(
                report.state == .failed ? .serviceUnavailable : .ok, Self.json, report.json, for: request)
        case .metrics:
            let text = try await ask { try await surface.metrics() }
            return try await send(.ok, "text/plain; version=0.0.4; charset=utf-8", text, for: request)
        case .status: return try await send(.ok, Self.json, ask { try await surface.status() }, for: request)
        case .devices: return try await send(.ok, Self.json, ask { try await surface.devices() }, for: request)
        case .uploads: return try await send(.ok, Self.json, ask { try await surface.uploads() }, for: request)
        case .peers: return try await send(.ok, Self.json, ask { try await surface.peers() }, for: request)
        case .ring: return try await send(.ok, Self.json, ask { try await surface.ring() }, for: request)
        case .latest(let globs, let history):
            let answer = try await ask { try await surface.latest(globs, history: history) }
            return try await send(.ok, Self.json, answer, for: request)
        case .version:
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("version")
                writer.string(version)
            }
            return try await send(.ok, Self.json, writer.bytes, for: request)
        }
    }

    private func obey(_ order: ControlOrder, _ request: HTTPRequestHead) async throws -> Bool {
        guard takesOrders else {
            throw ControlError(
                .forbidden, "orders are taken on the Unix socket alone",
                hint: "covey leave, forget, join, key rotate, ring repair")
        }
        let surface = surface
        return try await send(.ok, Self.json, ask { try await surface.perform(order) }, for: request)
    }

    private func ask<Answer: Sendable>(_ body: @escaping @Sendable () async throws -> Answer) async throws -> Answer {
        do {
            return try await gate.ask(on: channel.eventLoop, body)
        } catch let error as CancellationError where Task.isCancelled {
            throw error
        } catch {
            throw ControlError(any: error)
        }
    }

    // MARK: Writing

    private func send(
        _ status: HTTPResponseStatus, _ type: String, _ body: [UInt8], for request: HTTPRequestHead
    ) async throws -> Bool {
        var head = head(status, type, for: request)
        head.headers.add(name: "content-length", value: String(body.count))
        if status == .methodNotAllowed { head.headers.add(name: "allow", value: allowed(request)) }
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        if request.method != .HEAD, !body.isEmpty {
            channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        try await write(.end(nil))
        return request.isKeepAlive
    }

    private func allowed(_ request: HTTPRequestHead) -> String {
        ControlOrder.paths.contains { request.uri == $0 || request.uri.hasPrefix($0 + "?") } ? "POST" : "GET, HEAD"
    }

    private func stream(_ lines: LineStream, for request: HTTPRequestHead, isLive: Bool) async throws -> Bool {
        try await write(.head(head(.ok, "application/x-ndjson", for: request)))
        if request.method != .HEAD {
            do {
                try await isLive ? follow(lines) : drain(lines)
            } catch let error as ControlError {
                // The head is out, so the error goes as the last line, and the missing end of the answer says that it is not whole.
                try await write(chunk(error.json + [UInt8(ascii: "\n")]))
                return false
            }
        }
        try await write(.end(nil))
        return request.isKeepAlive
    }

    private func drain(_ lines: LineStream) async throws {
        while let bytes = try await ask({ try await lines.next() }) {
            if !bytes.isEmpty { try await write(chunk(bytes)) }
        }
    }

    /// As `drain`, but silence is no fault: the next reading may be hours away, and blank lines tell that we are there.
    private func follow(_ lines: LineStream) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    try await Task.sleep(for: limits.heartbeat)
                    try await write(chunk([UInt8(ascii: "\n")]))
                }
            }
            group.addTask {
                do {
                    while let bytes = try await lines.next() {
                        if !bytes.isEmpty { try await write(chunk(bytes)) }
                    }
                } catch let error where !(error is CancellationError || error is ChannelError || error is IOError) {
                    throw ControlError(any: error)
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func head(_ status: HTTPResponseStatus, _ type: String, for request: HTTPRequestHead) -> HTTPResponseHead {
        var headers: HTTPHeaders = ["content-type": type, "cache-control": "no-store"]
        if !request.isKeepAlive { headers.add(name: "connection", value: "close") }
        return HTTPResponseHead(version: request.version, status: status, headers: headers)
    }

    private func chunk(_ bytes: [UInt8]) -> HTTPServerResponsePart { .body(.byteBuffer(ByteBuffer(bytes: bytes))) }

    /// Returns when the kernel has taken it, so that a slow reader's back-pressure reaches whoever produces.
    private func write(_ part: HTTPServerResponsePart) async throws {
        let channel = channel
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(limits.writeTime)) { channel.close(promise: nil) }
        defer { timer.cancel() }
        try await withTaskCancellationHandler {
            try await channel.writeAndFlush(part).get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }
}
