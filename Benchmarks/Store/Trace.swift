import Environment
import LogFormat
import Model

/// What the sensors of a site say, the same for the same seed: each device once per second, at a moment of its own
/// that wanders by up to 20 ms. A third each are temperatures (a random walk of 0.05 a second, told to 0.1),
/// humidities (a walk told to whole per cent) and powers (40 to 2000 W with 2 % of noise, told to 0.1).
struct Trace {
    private struct Sensor {
        let series: Series
        let phase: Int64
        var level: Double
    }

    private var sensors: [Sensor]
    private var random: SeededRandom
    private var second: Int64 = 0
    private let boot = BootID(high: 0, low: 1)

    static let statistics =
        "A third of the devices each: temperatures (random walk, told to 0.1), humidities (walk, told to 1), powers "
        + "(noise of 2 %, told to 0.1); each once a second, ± 20 ms."

    init(devices: Int, seed: UInt64 = 7) {
        var random = SeededRandom(seed: seed)
        sensors = (0..<devices).map { index in
            let kind = ["temperature", "humidity", "power"][index % 3]
            let level = [21.5, 45, Double.random(in: 40...2000, using: &random)][index % 3]
            return Sensor(
                series: Series(device: DeviceID("sensor-\(index)"), metric: kind),
                phase: Int64.random(in: 0..<1_000_000, using: &random), level: level)
        }
        sensors.sort { $0.phase < $1.phase }
        self.random = random
    }

    /// The readings of the next second, in the order in which they arrive.
    mutating func next() -> [Reading] {
        defer { second += 1 }
        let readings = sensors.indices.map { index in
            let value = advance(index)
            let jitter = Int64.random(in: -20_000...20_000, using: &random)
            let uptime = (100 + second) * 1_000_000 + sensors[index].phase + jitter
            let stamp = Stamp(
                boot: boot, uptime: Microseconds(uptime), wallOffset: Microseconds(1_763_700_000_000_000),
                isTrusted: true)
            return Reading(series: sensors[index].series, stamp: stamp, value: .number(value))
        }
        return readings.sorted { $0.stamp.uptime < $1.stamp.uptime }
    }

    private mutating func advance(_ index: Int) -> Double {
        let level = sensors[index].level
        switch sensors[index].series.metric {
        case "temperature":
            sensors[index].level = level + Double.random(in: -0.05...0.05, using: &random)
            return (level * 10).rounded() / 10
        case "humidity":
            sensors[index].level = min(max(level + Double.random(in: -0.2...0.2, using: &random), 0), 100)
            return level.rounded()
        default:
            return (level * Double.random(in: 0.98...1.02, using: &random) * 10).rounded() / 10
        }
    }
}
