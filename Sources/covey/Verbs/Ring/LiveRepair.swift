import Glibc
import Model

/// `covey ring repair` of a gateway that runs: orders it, watches while the ring is read, then while peers bring back what was damaged.
struct LiveRepair {
    let client: DaemonClient
    /// How long it may be that nothing comes back.
    let patience: Duration

    /// Between two questions how far it is.
    private static let pause: useconds_t = 500_000

    /// Whether no reading is missing at the end.
    func run() throws -> Bool {
        Progress.begin("waiting for the daemon")
        var pass = try Pass(client.order("/v1/ring/repair"))
        while pass.isUnderWay {
            Progress.say { pass.line }
            usleep(Self.pause)
            pass = try ask().pass
        }
        if let reason = pass.reason { throw Failure(.notWell, "the ring was not read to its end: \(reason)") }
        pass = try waitForPeers(pass)
        Progress.end()
        let (ring, last) = try ask()
        let output = Output()
        for line in summary(last, ring) { try output.line(line) }
        try output.flush()
        return last.missing == 0 && last.unanswered == 0
    }

    private func waitForPeers(_ first: Pass) throws -> Pass {
        var pass = first
        guard pass.missing > 0 else { return pass }
        guard let covey = try client.document("/v1/status")["covey"], covey != .null else {
            tell("this gateway is in no covey: nobody can bring anything back")
            return pass
        }
        var end = ContinuousClock.now.advanced(by: patience)
        while pass.missing > 0, ContinuousClock.now < end {
            Progress.say { pass.line }
            usleep(Self.pause)
            let next = try ask().pass
            if next.missing < pass.missing { end = ContinuousClock.now.advanced(by: patience) }
            pass = next
        }
        // Not before: a gateway that has just been started may not have found them yet.
        let isAlone = try !client.document("/v1/peers").elements.contains { $0["state"]?.string == "alive" }
        if pass.missing > 0, isAlone { tell("no other gateway is alive that could bring anything back") }
        return pass
    }

    private func ask() throws -> (ring: JSONValue, pass: Pass) {
        let ring = try client.document("/v1/ring")
        guard let repair = ring["repair"], repair != .null else {
            throw Failure(.notWell, "the gateway has been started anew meanwhile; ask once more")
        }
        return (ring, try Pass(repair))
    }

    private func summary(_ pass: Pass, _ ring: JSONValue) -> [String] {
        let read = ByteCount(pass.bytes)
        var lines = [
            "\(pass.segments) segments were read, \(read) in use: "
                + "\(pass.damaged) reading\(pass.damaged == 1 ? "" : "s") newly found damaged"
        ]
        if pass.unanswered > 0 {
            lines.append("\(pass.unanswered) segments were not given by the disk: what is in them is not known")
        }
        if pass.restored > 0 {
            lines.append("\(pass.restored) reading\(pass.restored == 1 ? " has" : "s have") come back from peers")
        }
        let logs = ring["logs"]?.elements ?? []
        let copies = Self.missing(logs.filter { $0["own"] != .flag(true) }).reduce(0) { $0 &+ $1.count }
        if copies > 0 { lines.append(MissingReadings.copies(Int(copies))) }
        return lines + MissingReadings.lines(Self.missing(logs.filter { $0["own"] == .flag(true) }))
    }

    private static func missing(_ logs: [JSONValue]) -> [MissingReadings] {
        logs.flatMap { log in
            (log["gaps"]?.elements ?? []).filter { $0["reason"]?.string == "damaged" }.map { gap in
                let first = gap["first"]?.integer ?? 0
                return MissingReadings(
                    log: log["log"]?.plain ?? "–", first: first, count: (gap["end"]?.integer ?? first) &- first)
            }
        }
    }
}

/// How far the reading of all of a ring is, as the daemon tells it.
private struct Pass {
    let segments: Int64
    let bytes: Int64
    let damaged: Int64
    let unanswered: Int64
    let restored: Int64
    let missing: Int64
    /// Why it was given up.
    let reason: String?
    private let read: Int64
    private let state: String

    init(_ repair: JSONValue) throws(Failure) {
        guard let state = repair["state"]?.string else {
            throw Failure(.noDaemon, "what answers at the socket is no covey daemon")
        }
        func count(_ name: String) -> Int64 { repair[name]?.integer ?? 0 }
        self.state = state
        (segments, read, bytes) = (count("segments"), count("segments_read"), count("bytes"))
        (damaged, unanswered) = (count("damaged"), count("unanswered"))
        (restored, missing) = (count("restored"), count("missing"))
        reason = repair["reason"]?.string
    }

    var isUnderWay: Bool { state == "reading" || state == "waiting" }

    var line: String {
        let back = "\(grouped(Int(restored))) come back, \(grouped(Int(missing))) missing"
        switch state {
        case "waiting": return "the disk did not give something; it is asked again within a minute; \(back)"
        case "done": return "waiting for peers: \(back)"
        default: return "\(read) of \(segments) segments read, \(grouped(Int(damaged))) readings damaged, \(back)"
        }
    }
}
