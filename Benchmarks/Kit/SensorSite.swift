import Environment
import Glibc
package import Model

/// A site as sensors of many kinds make it: what they send, when it comes in, and what goes wrong. The same for the same parameters.
///
/// Devices send by timers of their own, which run fast or slow by some millionths. One half keeps to a fixed schedule, the other counts anew
/// from each message. On the way a message takes a few milliseconds (exponential), one in a hundred up to half a second, and some are lost.
/// Readings of one message carry one stamp, in microseconds of the gateway's clock, whose offset to the wall NTP moves now and then.
package struct SensorSite {
    /// How many of each kind there are, and how they behave.
    package struct Parameters {
        package var seed: UInt64
        /// BME280: temperature and humidity to 0.01, pressure to 0.01 hPa, RSSI.
        package var climates: Int
        package var climatePeriod: Double
        /// DS18B20 at 1/16 degree.
        package var probes: Int
        /// Power to 0.1 W, voltage to 0.1 V, current to 0.001 A, energy counted to 0.001 kWh; a device's time in whole seconds.
        package var meters: Int
        package var meterPeriod: Double
        /// Flow as a count of pulses.
        package var flows: Int
        /// Soil: moisture as an integer of the ADC, battery to 0.001 V; a device's time in milliseconds.
        package var soils: Int
        /// CO2 in ppm, temperature to 0.1.
        package var airs: Int
        /// Dew points of a program: doubles of all digits.
        package var programs: Int
        /// Doors and pumps: flags when they change, on GPIO lines.
        package var lines: Int
        /// A state in words every five minutes.
        package var states: Int
        /// Mean of what a message takes on the way, milliseconds.
        package var delay: Double
        package var noise: Double
        /// Microseconds that stamps are cut to.
        package var resolution: Int64 = 1

        /// The one that the block format was tuned with.
        package static let tuning = Parameters(
            seed: 1, climates: 24, climatePeriod: 30, probes: 16, meters: 12, meterPeriod: 10, flows: 4, soils: 12,
            airs: 6,
            programs: 3, lines: 10, states: 6, delay: 4, noise: 1)
        /// Looked at once the format was done.
        package static let heldOut = Parameters(
            seed: 20_261_122, climates: 15, climatePeriod: 60, probes: 30, meters: 16, meterPeriod: 15, flows: 8,
            soils: 20,
            airs: 10, programs: 2, lines: 16, states: 4, delay: 7, noise: 1.4)
    }

    private struct Device {
        let id: DeviceID
        let kind: Kind
        let period: Double
        let keepsSchedule: Bool
        var due: Double
        var levels: [Double]
    }

    private enum Kind {
        case climate, probe, meter, flow, soil, air, program, line, state
    }

    private let parameters: Parameters
    private var devices: [Device] = []
    private var random: SeededRandom
    private var wallOffset: Int64 = 1_763_700_000_000_000
    private let boot = BootID(high: 0, low: 1)
    private var second = 0

    package init(_ parameters: Parameters) {
        self.parameters = parameters
        random = SeededRandom(seed: parameters.seed)
        add("climate", .climate, parameters.climates, parameters.climatePeriod, levels: [21.5, 48, 1008, -61])
        add("probe", .probe, parameters.probes, 60, levels: [18])
        add("meter", .meter, parameters.meters, parameters.meterPeriod, levels: [120, 231, 0.5, 1200])
        add("flow", .flow, parameters.flows, 15, levels: [0, 100_000])
        add("soil", .soil, parameters.soils, 300, levels: [420, 3.9])
        add("air", .air, parameters.airs, 60, levels: [650, 21])
        add("program", .program, parameters.programs, 30, levels: [9.4])
        add("line", .line, parameters.lines, 0, levels: [0])
        add("state", .state, parameters.states, 300, levels: [0])
    }

    private mutating func add(_ name: String, _ kind: Kind, _ count: Int, _ period: Double, levels: [Double]) {
        for index in 0..<count {
            let drift = 1 + Double.random(in: -4e-5...4e-5, using: &random)
            let spread = Double.random(in: 0.9...1.1, using: &random)
            devices.append(
                Device(
                    id: DeviceID("\(name)-\(index)"), kind: kind, period: period * drift,
                    keepsSchedule: Bool.random(using: &random),
                    due: Double.random(in: 0...max(period, 60), using: &random), levels: levels.map { $0 * spread }))
        }
    }

    /// What a reader of figures needs to know.
    package static func statistics(_ site: Parameters) -> String {
        "\(site.climates) BME280 (every \(Int(site.climatePeriod)) s: temperature, humidity and pressure to 0.01, RSSI), "
            + "\(site.probes) DS18B20 (60 s, 1/16 degree), \(site.meters) meters (\(Int(site.meterPeriod)) s: W and V to 0.1, A and "
            + "kWh to 0.001, a time in whole seconds), \(site.flows) pulse counters (15 s), \(site.soils) soil sensors (300 s: "
            + "integers, battery to 0.001 V, a time in ms), \(site.airs) of CO2 (60 s), \(site.programs) dew points with all digits "
            + "(30 s), \(site.lines) lines that change every 10 minutes, \(site.states) states in words (300 s). Times are those of "
            + "arrival in microseconds: timers off by 40 ppm, \(Int(site.delay)) ms of delay (exponential) and up to 0.5 s in one of "
            + "100, one message in 500 lost."
    }

    package var series: Int {
        let counts: [(Int, Int)] = [
            (parameters.climates, 4), (parameters.probes, 1), (parameters.meters, 4), (parameters.flows, 1),
            (parameters.soils, 2), (parameters.airs, 2), (parameters.programs, 1), (parameters.lines, 1),
            (parameters.states, 1),
        ]
        return counts.reduce(0) { $0 + $1.0 * $1.1 }
    }

    /// What came in during the next second, message by message, in order.
    package mutating func next() -> [[Reading]] {
        let end = Double(second + 1)
        var arrived: [(at: Double, device: Int)] = []
        for index in devices.indices {
            while devices[index].due < end {
                let delay = delay(of: devices[index].kind)
                arrived.append((devices[index].due + delay, index))
                let kept = devices[index].keepsSchedule ? 0 : delay + Double.random(in: 0...0.004, using: &random)
                devices[index].due += (devices[index].kind == .line ? pause() : devices[index].period) + kept
            }
        }
        arrived.sort { $0.at < $1.at }
        if second % 60 == 0, Int.random(in: 0..<90, using: &random) == 0 {
            wallOffset += Int64.random(in: -3000...3000, using: &random)
        }
        second += 1
        return arrived.compactMap { at, device in
            let values = measure(device)
            guard Int.random(in: 0..<500, using: &random) > 0 else { return nil }
            return readings(values, of: device, at: at)
        }
    }

    /// Seconds.
    private mutating func delay(of kind: Kind) -> Double {
        if kind == .line { return Double.random(in: 0...0.000_05, using: &random) }
        if kind == .program { return Double.random(in: 0...0.000_3, using: &random) }
        let usual = -log(Double.random(in: 0.000_001...1, using: &random)) * parameters.delay / 1000 + 0.002
        return Int.random(in: 0..<100, using: &random) == 0 ? usual + Double.random(in: 0...0.5, using: &random) : usual
    }

    /// Seconds between changes of a line.
    private mutating func pause() -> Double { -log(Double.random(in: 0.000_001...1, using: &random)) * 600 + 0.05 }

    private func readings(_ values: [(String, String?, Value)], of index: Int, at: Double) -> [Reading] {
        let device = devices[index]
        let uptime = Int64((at + 100) * 1_000_000) / parameters.resolution * parameters.resolution
        let stamp = Stamp(
            boot: boot, uptime: Microseconds(uptime), wallOffset: Microseconds(wallOffset), isTrusted: true)
        let sent = Int64((devices[index].due - device.period + 100) * 1000) + wallOffset / 1000
        let time: Milliseconds? =
            switch device.kind {
            case .meter: Milliseconds(sent / 1000 * 1000)
            case .soil: Milliseconds(sent)
            default: nil
            }
        return values.map { metric, unit, value in
            Reading(
                series: Series(device: device.id, metric: metric, unit: unit), stamp: stamp, value: value,
                deviceTime: time)
        }
    }

    // MARK: What is measured

    /// A walk of that many units per message, drawn back to where it began.
    private mutating func walk(_ index: Int, _ level: Int, by size: Double, around mean: Double) -> Double {
        let now = devices[index].levels[level]
        let step = (Double.random(in: -1...1, using: &random) + Double.random(in: -1...1, using: &random)) * size
        devices[index].levels[level] = now + step * parameters.noise + (mean - now) * 0.002
        return devices[index].levels[level]
    }

    private mutating func noise(_ size: Double) -> Double {
        let sum = (0..<4).reduce(0.0) { sum, _ in sum + Double.random(in: -1...1, using: &random) }
        return sum / 2 * size * parameters.noise
    }

    private func told(_ number: Double, _ places: Double) -> Value { .number((number * places).rounded() / places) }

    private mutating func measure(_ index: Int) -> [(String, String?, Value)] {
        let day = sin(Double(second) / 86_400 * 2 * .pi)
        switch devices[index].kind {
        case .climate:
            let temperature = walk(index, 0, by: 0.01, around: 21 + 3 * day) + noise(0.01)
            let humidity = walk(index, 1, by: 0.03, around: 48 - 8 * day) + noise(0.04)
            let pressure = walk(index, 2, by: 0.01, around: 1008) + noise(0.015)
            let rssi = -61 + noise(2)
            return [
                ("temperature", "°C", told(temperature, 100)), ("humidity", "%", told(humidity, 100)),
                ("pressure", "hPa", told(pressure, 100)), ("rssi", "dBm", told(rssi, 1)),
            ]
        case .probe:
            return [("temperature", "°C", told(walk(index, 0, by: 0.015, around: 18 + 2 * day), 16))]
        case .meter:
            if Int.random(in: 0..<60, using: &random) == 0 {
                devices[index].levels[0] = [4, 60, 120, 900, 2100][Int.random(in: 0..<5, using: &random)]
            }
            let power = devices[index].levels[0] * (1 + noise(0.006))
            let voltage = walk(index, 1, by: 0.05, around: 231) + noise(0.1)
            devices[index].levels[3] += power / 1000 * devices[index].period / 3600
            return [
                ("power", "W", told(power, 10)), ("voltage", "V", told(voltage, 10)),
                ("current", "A", told(power / voltage, 1000)), ("energy", "kWh", told(devices[index].levels[3], 1000)),
            ]
        case .flow:
            if Int.random(in: 0..<20, using: &random) == 0 {
                devices[index].levels[0] = Bool.random(using: &random) ? 0 : Double.random(in: 5...80, using: &random)
            }
            let flow = devices[index].levels[0]
            if flow > 0 { devices[index].levels[1] += max((flow + noise(2)).rounded(), 0) }
            return [("pulses", nil, told(devices[index].levels[1], 1))]
        case .soil:
            let moisture = walk(index, 0, by: 0.7, around: 420) + noise(1.5)
            devices[index].levels[1] -= 0.000_02
            return [
                ("moisture", nil, told(moisture, 1)),
                ("battery", "V", told(devices[index].levels[1] + noise(0.002), 1000)),
            ]
        case .air:
            let carbon = walk(index, 0, by: 4, around: 650 + 250 * day) + noise(3)
            return [
                ("co2", "ppm", told(carbon, 1)), ("temperature", "°C", told(walk(index, 1, by: 0.02, around: 21), 10)),
            ]
        case .program:
            return [("dew-point", "°C", .number(walk(index, 0, by: 0.02, around: 9 + day)))]
        case .line:
            devices[index].levels[0] = devices[index].levels[0] == 0 ? 1 : 0
            return [("level", nil, .flag(devices[index].levels[0] == 1))]
        case .state:
            let isOdd = Int.random(in: 0..<30, using: &random) == 0
            return [("state", nil, .text(isOdd ? "standby" : "running"))]
        }
    }
}
