import Environment
package import Model

/// What a simulated device measures.
package struct SimulatedSettings: Hashable, Sendable {
    /// The form of the signal. Raw values are the words of the configuration.
    package enum Wave: String, Hashable, Sendable, CaseIterable {
        /// `mean + amplitude · sin`, once around per period, with noise.
        case sine
        /// The mean with noise of standard deviation `amplitude`.
        case noise
        /// A contact that changes at random, on average once per period. Only changes are told.
        case edges
        /// Counts its samples from 0.
        case counter
    }

    package var metric: String
    package var unit: String?
    package var wave: Wave
    /// Of the sine, or the average time between edges; above 0.
    package var period: Duration
    package var amplitude: Double
    package var mean: Double
    /// Standard deviation of what is added to the sine.
    package var noise: Double
    /// Between samples; above 0. For a rate, 1 s divided by it.
    package var interval: Duration
    package var seed: UInt64

    package init(
        metric: String = "value", unit: String? = nil, wave: Wave = .sine, period: Duration = .seconds(60),
        amplitude: Double = 1, mean: Double = 0, noise: Double = 0, interval: Duration = .seconds(1), seed: UInt64 = 1
    ) {
        self.metric = metric
        self.unit = unit
        self.wave = wave
        self.period = period
        self.amplitude = amplitude
        self.mean = mean
        self.noise = noise
        self.interval = interval
        self.seed = seed
    }
}

/// The values of a simulated device, one per interval: pure, and the same for the same settings.
package struct SimulatedSignal: Sendable {
    private let settings: SimulatedSettings
    private var random: SeededRandom
    private var index = 0
    private var isOn = false

    package init(_ settings: SimulatedSettings) {
        precondition(settings.interval > .zero, "simulated interval of \(settings.interval)")
        precondition(settings.period > .zero, "simulated period of \(settings.period)")
        self.settings = settings
        random = SeededRandom(seed: settings.seed)
    }

    /// The next interval's value; `nil` where nothing is to be told.
    package mutating func next() -> Value? {
        defer { index += 1 }
        switch settings.wave {
        case .sine:
            let turns = Double(index) * settings.interval.inSeconds / settings.period.inSeconds
            return .number(settings.mean + settings.amplitude * Self.sine(turns: turns) + settings.noise * deviate())
        case .noise: return .number(settings.mean + settings.amplitude * deviate())
        case .counter: return .number(Double(index))
        case .edges:
            let changes = unit() < settings.interval.inSeconds / settings.period.inSeconds
            if changes { isOn.toggle() }
            return changes || index == 0 ? .flag(isOn) : nil
        }
    }

    /// 0 up to, not including, 1.
    private mutating func unit() -> Double { Double(random.next() >> 11) * 0x1p-53 }

    /// About normal, with mean 0 and standard deviation 1, and never beyond 6: a sum of twelve.
    private mutating func deviate() -> Double {
        if settings.noise == 0 && settings.wave == .sine { return 0 }
        var sum = -6.0
        for _ in 0..<12 { sum += unit() }
        return sum
    }

    /// `sin(2π · turns)` to about 1e-7 by its series, without the C library, so that every board gives the same bits.
    static func sine(turns: Double) -> Double {
        var phase = turns - turns.rounded(.down)
        let sign: Double = phase >= 0.5 ? -1 : 1
        if phase >= 0.5 { phase -= 0.5 }
        if phase > 0.25 { phase = 0.5 - phase }
        let x = phase * 2 * Double.pi
        let square = x * x
        var sum = 0.0
        for factor in [110.0, 72, 42, 20, 6] { sum = square / factor * (1 - sum) }
        return sign * x * (1 - sum)
    }
}
