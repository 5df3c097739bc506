/// Guesses the next of a row of numbers from those before, in integers alone, so that writer and reader guess the same everywhere. All of it
/// wraps around: a number beyond all reason gets a bad guess, never another value.
///
/// It is exponential smoothing with a trend (Holt): `gain` says how fast the level follows (0: it is the last number), `trendGain` how fast the
/// trend does. With gain 0 and no trend the guess is the number before (a delta); with both 0 it goes on as the last step went (a delta of
/// deltas); a higher gain suits numbers that scatter around something that moves slowly, such as noise or the times of a timer whose
/// messages are late by this and that.
struct Predictor {
    /// How the level and the trend follow: by the error divided by 2^gain. Places are part of the stored format.
    struct Kind {
        let gain: Int
        /// `nil`: the trend stays as it is.
        let trendGain: Int?
    }

    static let kinds: [Kind] = [
        Kind(gain: 0, trendGain: nil), Kind(gain: 0, trendGain: 0), Kind(gain: 1, trendGain: nil),
        Kind(gain: 2, trendGain: nil), Kind(gain: 3, trendGain: nil), Kind(gain: 4, trendGain: nil),
        Kind(gain: 5, trendGain: nil), Kind(gain: 0, trendGain: 2), Kind(gain: 1, trendGain: 3),
        Kind(gain: 2, trendGain: 5), Kind(gain: 3, trendGain: 6),
    ]

    /// Level and trend are kept in 256ths.
    private static let fraction: Int64 = 8

    private let gain: Int64
    private let trendGain: Int64?
    /// 256ths, to be stepped over as a whole: a message that is missing must not spoil the times of those behind it.
    private let step: Int64
    private var level: Int64 = 0
    private var trend: Int64
    private var seen: UInt64 = 0

    /// `slope`: the trend at the beginning. The number before the first one guessed is 0.
    init(_ kind: Kind, slope: Int64) {
        gain = Int64(kind.gain)
        trendGain = kind.trendGain.map { Int64($0) }
        trend = slope << Self.fraction
        step = kind.gain > 0 ? trend : 0
    }

    @inline(__always)
    var guess: Int64 { (level &+ trend &+ 128) >> Self.fraction }

    @inline(__always)
    mutating func take(_ number: Int64) {
        seen &+= 1
        level = level &+ trend
        var error = (number << Self.fraction) &- level
        if step != 0, error.magnitude > step.magnitude >> 1 {
            let half = (error < 0) == (step < 0) ? step / 2 : -(step / 2)
            let whole = ((error &+ half) / step) &* step
            level = level &+ whole
            error = error &- whole
        }
        // At first the level is the mean of what there is: it need not wander there from the first number.
        level = level &+ (error >> min(gain, Int64(63 - (seen &+ 1).leadingZeroBitCount)))
        if let trendGain { trend = trend &+ (error >> trendGain) }
    }
}
