import Foundation
import HTTPSinks
import Model
import Sinks
import TestKit
import Testing

@Suite struct HTTPSinkTests {
    @Test func aBatchArrivesAsTheContractSays() async throws {
        try await withReceiver { receiver, port, transport in
            let sink = try sink(port, transport)
            #expect(await sink.send(batch(512, base: 512)) == .accepted)
            let readings = receiver.readings()
            #expect(receiver.snapshot().faults.isEmpty)
            #expect(readings.count == 512)
            #expect(readings.first?.offset == 512 && readings.first?.value == .number(128))
            #expect(readings.first?.gateway == "greenhouse-a" && readings.first?.unit == "%")
            #expect(receiver.snapshot().headers["idempotency-key"] == "\(testNode)/\(testLog)/512-512")
        }
    }

    @Test func aBatchThatComesTwiceIsStoredOnce() async throws {
        try await withReceiver { receiver, port, transport in
            let sink = try sink(port, transport)
            #expect(await sink.send(batch(10)) == .accepted)
            #expect(await sink.send(batch(12, base: 4)) == .accepted)
            let seen = receiver.snapshot()
            #expect(seen.readings == 16 && seen.duplicates == 6 && seen.batches == 2 && seen.faults.isEmpty)
        }
    }

    @Test func aReceiverThatDoesNotKnowCoveyIsFineToo() async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .acceptSilently
            let sink = try sink(port, transport)
            #expect(await sink.send(batch(3)) == .accepted)
        }
    }

    @Test func compressedBatchesArriveWhole() async throws {
        try await withReceiver { receiver, port, transport in
            let sink = try sink(port, transport) { $0.gzip = true }
            #expect(await sink.send(batch(512)) == .accepted)
            #expect(receiver.snapshot().compressed == 1 && receiver.snapshot().readings == 512)
            #expect(receiver.snapshot().headers["content-length"].flatMap { Int($0) } ?? .max < 20_000)
        }
    }

    @Test func headersAndTokenGoWithEveryBatchAndANewTokenIsReadAfterA401() async throws {
        let file = NSTemporaryDirectory() + "covey-token-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data("first\n".utf8).write(to: URL(fileURLWithPath: file))
        try await withReceiver { receiver, port, transport in
            let sink = try sink(port, transport) {
                $0.tokenFile = file
                $0.headers = [.init(name: "X-Site", value: "nine")]
            }
            #expect(await sink.send(batch(1)) == .accepted)
            #expect(receiver.snapshot().headers["authorization"] == "Bearer first")
            #expect(receiver.snapshot().headers["x-site"] == "nine")
            try Data("second\n".utf8).write(to: URL(fileURLWithPath: file))
            receiver.mode = .status(401)
            #expect(reason(await sink.send(batch(1))).contains("401 Unauthorized"))
            receiver.mode = .accept
            #expect(await sink.send(batch(1)) == .accepted)
            #expect(receiver.snapshot().headers["authorization"] == "Bearer second")
        }
    }

    @Test(arguments: [400, 413, 422])
    func onlyTheseStatusesRefuseTheContent(_ status: Int) async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .poison(status: status, device: "poison")
            let sink = try sink(port, transport)
            guard case .refused(let reason) = await sink.send(batch(8, poison: [3])) else {
                Issue.record("not refused")
                return
            }
            #expect(reason.contains("\(status)") && reason.contains("I do not like poison"))
            #expect(await sink.send(batch(8)) == .accepted)
            #expect(receiver.snapshot().readings == 8)
        }
    }

    @Test(arguments: [401, 403, 404, 405, 408, 409, 410, 500, 501, 502, 503, 504, 507])
    func everyOtherStatusIsAFaultOfTheSink(_ status: Int) async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .status(status)
            let sink = try sink(port, transport)
            #expect(reason(await sink.send(batch(2))).contains("\(status)"))
            #expect(receiver.snapshot().readings == 0)
        }
    }

    /// The receiver's `Date` is fixed at 08:49:37.
    @Test(arguments: [
        ("7", Duration.seconds(7)), ("Sun, 06 Nov 1994 08:51:37 GMT", .seconds(120)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", .zero), ("soon", nil), ("-3", nil),
    ])
    func retryAfterIsReadAsSecondsOrDate(_ text: String, _ expected: Duration?) async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .tooMany(retryAfter: text)
            let outcome = try await sink(port, transport).send(batch(1))
            #expect(outcome == .unavailable(reason: "429 Too Many Requests", retryAfter: expected))
        }
    }

    @Test func redirectsAreNotFollowed() async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .redirect(to: "http://127.0.0.1:\(port)/elsewhere")
            let sink = try sink(port, transport)
            #expect(reason(await sink.send(batch(1))).contains("redirected to http://127.0.0.1"))
            #expect(receiver.snapshot().requests == 1)
        }
    }

    @Test func theWebPageOfACaptivePortalIsNoReceipt() async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .captivePortal
            let sink = try sink(port, transport)
            #expect(reason(await sink.send(batch(1))).contains("captive portal"))
        }
    }

    @Test func anEchoOfAnotherBatchIsNoReceipt() async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .wrongEcho
            let sink = try sink(port, transport)
            #expect(reason(await sink.send(batch(1))).contains("echoes another batch"))
        }
    }

    @Test func aSinkThatNeverAnswersTimesOut() async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .hang
            let sink = try sink(port, transport) { $0.timeout = .milliseconds(200) }
            #expect(reason(await sink.send(batch(1))) == "no answer within 200 ms")
        }
    }

    @Test func aResetAfterTheCommitIsUnavailableAndTheRepetitionIsADouble() async throws {
        try await withReceiver { receiver, port, transport in
            receiver.mode = .resetAfterCommit
            let sink = try sink(port, transport)
            let words = reason(await sink.send(batch(5)))
            #expect(words.contains("reset") || words.contains("closed"), "\(words)")
            receiver.mode = .accept
            #expect(await sink.send(batch(5)) == .accepted)
            #expect(receiver.snapshot().readings == 5 && receiver.snapshot().duplicates == 5)
        }
    }

    @Test func aRefusedConnectionIsNamedAndASinkThatReturnsIsUsed() async throws {
        try await withReceiver { receiver, port, transport in
            let sink = try sink(port, transport)
            #expect(await sink.send(batch(1)) == .accepted)
            await receiver.stop()
            _ = await sink.send(batch(1, base: 1))  // may still meet the old connection
            let words = reason(await sink.send(batch(1, base: 1)))
            #expect(words.contains("connection refused"), "\(words)")
            try await receiver.start(port: port)
            #expect(await sink.send(batch(1, base: 1)) == .accepted)
            #expect(receiver.snapshot().readings == 2)
        }
    }

    @Test func aNameWithoutAddressIsNamed() async throws {
        try await withReceiver { _, _, transport in
            let configuration = HTTPSinkConfiguration(url: "http://no-such-host.invalid/")
            let words = reason(try await HTTPSink(configuration, transport: transport).send(batch(1)))
            #expect(words.contains("no-such-host.invalid") && words.contains("DNS"), "\(words)")
        }
    }

    @Test func afterTheShutdownASendSaysSo() async throws {
        let transport = HTTPTransport()
        let sink = try sink(1, transport)
        await transport.shutdown()
        #expect(!reason(await sink.send(batch(1))).isEmpty)
    }

    @Test func aConfigurationThatCannotWorkIsToldAtTheStart() async throws {
        let transport = HTTPTransport()
        func message(_ url: String, _ change: (inout HTTPSinkConfiguration) -> Void = { _ in }) -> String {
            var configuration = HTTPSinkConfiguration(url: url)
            change(&configuration)
            do throws(HTTPSinkError) {
                _ = try HTTPSink(configuration, transport: transport)
                return ""
            } catch {
                return error.message
            }
        }
        #expect(message("ingest.example/v1").contains("is not of the form"))
        #expect(message("ftp://ingest.example/v1").contains("http:// or https://"))
        #expect(message("https://h/") { $0.certFile = "/tmp/a" }.contains("belong together"))
        #expect(message("https://h/") { $0.caFile = "/no/such/ca.pem" }.contains("cannot read /no/such/ca.pem"))
        #expect(message("http://h/") { $0.caFile = "/no/such/ca.pem" }.contains("need an https"))
        #expect(message("http://h/") { $0.tokenFile = "/no/such/token" }.contains("cannot read /no/such/token"))
        #expect(message("http://h/") { $0.headers = [.init(name: "a b", value: "c")] }.contains("not a header name"))
        #expect(message("http://h/") { $0.headers = [.init(name: "a", value: "c\r\nd")] }.contains("control character"))
        #expect(message("http://h/").isEmpty)
        await transport.shutdown()
    }
}
