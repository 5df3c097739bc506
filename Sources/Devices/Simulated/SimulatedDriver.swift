import Environment
import Model

/// A device that is not there, for trying things out and for load: emits a ``SimulatedSignal`` on the gateway's clock.
package struct SimulatedDriver: Driver {
    package var blocksThread: Bool { false }
    private let settings: SimulatedSettings

    /// Fast signals are emitted several samples at a time, as waking up for each would cost more than the sample.
    private static let shortestTick = Duration.milliseconds(10)
    /// After a pause (suspend, a busy board) at most this much is made up for; the rest never happened.
    private static let longestCatchUp = Duration.seconds(1)

    package init(_ settings: SimulatedSettings) {
        self.settings = settings
    }

    /// Emits until it is cancelled; throws `CancellationError` then, and nothing else.
    package func run(_ port: DriverPort) async throws {
        var signal = SimulatedSignal(settings)
        let interval = settings.interval.nanoseconds
        let perTick = max(1, Self.shortestTick.nanoseconds / max(1, interval))
        let tick = Duration.nanoseconds(interval * perTick)
        var due = port.clock.now
        while true {
            try await port.clock.sleep(until: due)
            let stamp = port.clock.stamp
            var samples: [Sample] = []
            samples.reserveCapacity(Int(perTick))
            for index in 0..<perTick {
                guard let value = signal.next() else { continue }
                let age = (perTick - 1 - index) * interval / 1000
                samples.append(
                    Sample(
                        metric: settings.metric, unit: settings.unit, value: value,
                        stamp: stamp.earlier(by: Microseconds(age))))
            }
            if !samples.isEmpty { port.emit(samples) }
            port.heartbeat()
            due = max(due.advanced(by: tick), port.clock.now.advanced(by: .zero - Self.longestCatchUp))
        }
    }
}

extension Stamp {
    fileprivate func earlier(by age: Microseconds) -> Stamp {
        Stamp(
            boot: boot, uptime: Microseconds(uptime.rawValue - age.rawValue), wallOffset: wallOffset,
            isTrusted: isTrusted)
    }
}
