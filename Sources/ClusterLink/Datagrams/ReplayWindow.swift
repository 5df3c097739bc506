/// Which of a sender's numbers were seen: datagrams may come out of order, and none may count twice.
struct ReplayWindow: Hashable, Sendable {
    /// Numbers that may lie behind the greatest seen: more than a covey's burst, and late ones are no loss.
    static let width: UInt64 = 1024

    private var next: UInt64 = 0
    private var seen = [UInt64](repeating: 0, count: Int(width / 64))

    /// Whether `number` is neither known nor too old to tell.
    func admits(_ number: UInt64) -> Bool {
        // The greatest number would leave no room for a next; no sender comes near it.
        if number >= next { return number < .max }
        guard next - number <= Self.width else { return false }
        return seen[word(number)] & bit(number) == 0
    }

    /// Notes `number`; only what ``admits(_:)`` admits may be noted.
    mutating func note(_ number: UInt64) {
        if number >= next {
            let steps = number - next + 1
            if steps >= Self.width {
                for index in seen.indices { seen[index] = 0 }
            } else {
                for passed in next...number { seen[word(passed)] &= ~bit(passed) }
            }
            next = number + 1
        }
        seen[word(number)] |= bit(number)
    }

    private func word(_ number: UInt64) -> Int { Int(number % Self.width / 64) }
    private func bit(_ number: UInt64) -> UInt64 { 1 << (number % 64) }
}
