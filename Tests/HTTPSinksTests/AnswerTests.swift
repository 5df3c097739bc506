import Model
import NIOHTTP1
import Sinks
import Testing

@testable import HTTPSinks

@Suite struct AnswerTests {
    private func outcome(
        _ status: Int, _ body: String, _ headers: HTTPHeaders = [:], isCut: Bool = false
    ) -> SendOutcome {
        let answer = HTTPAnswer(
            status: status, reasonPhrase: "", headers: headers, body: Array(body.utf8), isCut: isCut)
        return answer.outcome(for: batch(2, base: 8), now: Milliseconds(0))
    }

    @Test func aBodyThatIsNoPageIsNoObstacle() {
        #expect(outcome(200, "") == .accepted)
        #expect(outcome(202, "ok") == .accepted)
        #expect(outcome(201, "{}") == .accepted)
        #expect(outcome(200, "[1,2]") == .accepted)
        #expect(outcome(200, #"{"status":"stored"}"#) == .accepted)
        #expect(outcome(200, #"{"log":"\#(testLog)","base":8,"count":2,"more":[]}"#) == .accepted)
    }

    @Test func anEchoMustMatchInEveryPart() {
        for body in [
            #"{"log":"0000000000000000","base":8,"count":2}"#, #"{"log":"\#(testLog)","base":9,"count":2}"#,
            #"{"log":"\#(testLog)","base":8,"count":3}"#, #"{"log":"\#(testLog)"}"#, #"{"log":7,"base":8,"count":2}"#,
        ] {
            #expect(reason(outcome(200, body)).contains("echoes another batch"), "\(body)")
        }
    }

    @Test func pagesAreKnownByTypeOrByTheirFirstCharacter() {
        #expect(reason(outcome(200, "hello", ["Content-Type": "TEXT/HTML"])).contains("captive portal"))
        #expect(reason(outcome(200, "", ["Content-Type": "text/html"])).contains("captive portal"))
        #expect(reason(outcome(200, "\r\n <html>")).contains("captive portal"))
    }

    @Test func quotedWordsAreShortAndPrintable() {
        guard case .refused(let words) = outcome(422, String(repeating: "bad\u{1B}[31m\n", count: 500)) else {
            Issue.record("not refused")
            return
        }
        #expect(words.utf8.count < 220 && words.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    @Test func httpDatesAreReadAndNothingElse() {
        #expect(Milliseconds(httpDate: "Sun, 06 Nov 1994 08:49:37 GMT") == Milliseconds(784_111_777_000))
        for text in ["", "Sun, 06 Nov 1994", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 28:49:37 GMT", "7"] {
            #expect(Milliseconds(httpDate: text) == nil)
        }
    }
}
