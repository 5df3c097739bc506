import Environment
import Model

/// What grows with the number of members.
struct Scale: Hashable, Sendable {
    /// How often each rumour is sent.
    let transmissions: Int
    /// Confirmations that bring the least suspicion time.
    let confirmations: Int
    /// Time to contradict by the number of confirmations so far, descending; its last holds for more.
    let suspicionTimes: [Duration]
    let pushPullInterval: Duration

    /// `members` is N, at least 1.
    init(members: Int, settings: MembershipSettings) {
        let digits = logarithm2(Double(members)) / logarithm2(10)
        transmissions = max(1, settings.retransmitMultiplier * Self.decimalDigits(members))
        let confirmations =
            members - 2 >= settings.suspicionConfirmations && members > 3
            ? settings.suspicionConfirmations : 0
        self.confirmations = confirmations
        if members <= 3 {
            suspicionTimes = [settings.smallSuspicion]
        } else {
            let least = Double(settings.suspicionMultiplier) * max(1, digits)
            let most = least * Double(settings.suspicionStretch)
            suspicionTimes = (0...confirmations).map { count in
                let part =
                    confirmations == 0
                    ? 1 : logarithm2(Double(count + 1)) / logarithm2(Double(confirmations + 1))
                return .milliseconds(Int64((most - part * (most - least)) * 1000))
            }
        }
        var doublings = 0
        while 32 << doublings < members { doublings += 1 }
        pushPullInterval = settings.pushPullInterval * (doublings + 1)
    }

    /// ⌈log10(N + 1)⌉, at least 1.
    private static func decimalDigits(_ members: Int) -> Int {
        var digits = 1
        var bound = 10
        while bound < members + 1 {
            digits += 1
            bound *= 10
        }
        return digits
    }
}

/// The binary logarithm of a number of at least 1, to 2^-30; the same on every machine, without a mathematics library.
func logarithm2(_ value: Double) -> Double {
    var result = Double(value.exponent)
    var rest = value.significand
    var bit = 0.5
    for _ in 0..<30 {
        rest *= rest
        if rest >= 2 {
            rest /= 2
            result += bit
        }
        bit /= 2
    }
    return result
}
