import FoundationEssentials
import Glibc
import Model
import NIOHTTP1
import Sinks

/// What an answer means for a batch. Pure.
///
/// | answer | outcome |
/// |---|---|
/// | 2xx, empty, or a body that is not a page and echoes no other batch | accepted |
/// | 2xx with a web page, or the echo of another batch | unavailable: a captive portal, or a wrong url |
/// | 400, 413, 422 | refused, with the beginning of the body |
/// | 429, 503 | unavailable, not before `Retry-After` |
/// | all else, redirects among it | unavailable |
struct HTTPAnswer {
    let status: Int
    let reasonPhrase: String
    let headers: HTTPHeaders
    /// At most ``bodyBytes``.
    let body: [UInt8]
    /// The body went on beyond the limit.
    let isCut: Bool

    /// An answer says little; a page of a captive portal may be long.
    static let bodyBytes = 64 * 1024
    /// What of a body is quoted.
    static let excerptBytes = 160

    /// - Parameter now: Unix time, for a `Retry-After` date where the answer has no `Date`.
    func outcome(for batch: NativeBatch, now: Milliseconds) -> SendOutcome {
        switch status {
        case 200..<300: return success(for: batch)
        case 300..<400:
            let target = headers.first(name: "Location").map { " to \(excerpt(Array($0.utf8)))" } ?? ""
            return .unavailable(reason: "\(line): redirected\(target); redirects are not followed", retryAfter: nil)
        case 400, 413, 422: return .refused(reason: quoted)
        case 401, 403: return .unavailable(reason: "\(quoted); are token and certificate right?", retryAfter: nil)
        case 429, 503: return .unavailable(reason: quoted, retryAfter: retryAfter(now: now))
        default: return .unavailable(reason: quoted, retryAfter: nil)
        }
    }

    private var line: String { reasonPhrase.isEmpty ? "\(status)" : "\(status) \(reasonPhrase)" }

    private var quoted: String { body.isEmpty || isPage ? line : "\(line): \(excerpt(body))" }

    private var isPage: Bool {
        let type = headers.first(name: "Content-Type")?.lowercased() ?? ""
        let start = body.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
        return type.hasPrefix("text/html") || type.hasPrefix("application/xhtml") || start == UInt8(ascii: "<")
    }

    private func success(for batch: NativeBatch) -> SendOutcome {
        if isPage {
            return .unavailable(
                reason: "\(line) with a web page: a captive portal, or the url is not that of a receiver",
                retryAfter: nil)
        }
        guard !isCut, let echo = try? JSONDecoder().decode(Echo.self, from: Data(body)), echo.hasLog else {
            return .accepted
        }
        guard echo.log == batch.log.description, echo.base == batch.base.rawValue, echo.count == batch.count else {
            return .unavailable(reason: "\(line), but it echoes another batch: \(excerpt(body))", retryAfter: nil)
        }
        return .accepted
    }

    /// Seconds, or a date, which is compared with the answer's own `Date`: a board's clock may be years off.
    private func retryAfter(now: Milliseconds) -> Duration? {
        guard let text = headers.first(name: "Retry-After") else { return nil }
        if let seconds = Int64(text.filter { $0 != " " }), seconds >= 0 { return .seconds(min(seconds, 1_000_000)) }
        guard let date = Milliseconds(httpDate: text) else { return nil }
        let reference = headers.first(name: "Date").flatMap { Milliseconds(httpDate: $0) } ?? now
        return .milliseconds(max(date.rawValue - reference.rawValue, 0))
    }
}

/// What a receiver that knows Covey answers.
private struct Echo: Decodable {
    let hasLog: Bool
    let log: String?
    let base: UInt64?
    let count: Int?

    private enum Key: String, CodingKey {
        case log, base, count
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        hasLog = container.contains(.log)
        log = try? container.decode(String.self, forKey: .log)
        base = try? container.decode(UInt64.self, forKey: .base)
        count = try? container.decode(Int.self, forKey: .count)
    }
}

extension Milliseconds {
    /// Reads the preferred form of HTTP dates: `Sun, 06 Nov 1994 08:49:37 GMT`.
    init?(httpDate text: String) {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let fields = text.split(separator: " ")
        guard fields.count == 6, fields[5] == "GMT", let day = Int(fields[1]), (1...31).contains(day),
            let month = months.firstIndex(of: String(fields[2])), let year = Int(fields[3]),
            (1970...9999).contains(year)
        else { return nil }
        let clock = fields[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]), (0...60).contains(clock[2])
        else { return nil }
        let seconds = clock[0] * 3600 + clock[1] * 60 + clock[2]
        self.init((CivilTime.days(year: year, month: month + 1, day: day) * 86_400 + Int64(seconds)) * 1000)
    }
}

/// The beginning of a body in one printable line.
func excerpt(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes.prefix(HTTPAnswer.excerptBytes), as: UTF8.self)
    let printable = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }
    let line = String(String.UnicodeScalarView(printable))
    return bytes.count > HTTPAnswer.excerptBytes ? line + "…" : line
}

/// Unix time of this board, right or wrong.
func wallNow() -> Milliseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Milliseconds(Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
}
