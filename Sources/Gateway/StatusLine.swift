import Environment
import GatewayCore
import Model
import Posix
import Sinks
import Supervision

/// The line that `systemctl status` shows: how the gateway is, in words, told every ten seconds at most and only when it changed.
struct StatusLine: Sendable {
    let surface: GatewaySurface
    let manager: ServiceManager

    private static let interval = Duration.seconds(10)

    func keep() async throws {
        let clock = surface.parts.clock
        var told = ""
        var received = await surface.document().core.ledger.total.received
        while true {
            let began = clock.now
            try await clock.sleep(for: Self.interval)
            let document = await surface.document()
            let total = document.core.ledger.total.received
            let rate = Double(total &- received) / began.duration(to: clock.now).inSeconds
            received = total
            let text = document.sentence(readingsPerSecond: rate)
            if text != told { manager.status(text) }
            told = text
        }
    }
}

extension StatusDocument {
    /// `ok: 12 devices, 34 readings/s, cloud 0 pending`, or with the first reason why it is not.
    func sentence(readingsPerSecond rate: Double) -> String {
        let (health, reasons) = verdict
        var parts: [String] = []
        if let first = reasons.first {
            parts.append(reasons.count > 1 ? "\(first), and \(reasons.count - 1) more" : first)
        }
        let devices = tree["devices"]?.children.count ?? 0
        var figures = ["\(devices) \(devices == 1 ? "device" : "devices")", "\(Self.short(rate)) readings/s"]
        for sink in core.sinks { figures.append("\(sink.name) \(sink.machine.counts.pending) pending") }
        parts.append(figures.joined(separator: ", "))
        return "\(health.rawValue): " + String(parts.joined(separator: "; ").map { $0.isNewline ? " " : $0 })
    }

    /// Two figures are enough for a person, and change less often.
    private static func short(_ rate: Double) -> String {
        guard rate < 9.95 else { return String(Int(rate.rounded())) }
        let tenths = Int((rate * 10).rounded())
        return tenths % 10 == 0 ? String(tenths / 10) : "\(tenths / 10).\(tenths % 10)"
    }
}
