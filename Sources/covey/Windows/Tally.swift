import Model

/// What is told of a series in a window.
enum Aggregate: String, CaseIterable {
    case count, min, max, mean, first, last

    /// What fits a table of 80 columns and says most.
    static let usual: [Aggregate] = [.mean, .min, .max, .count]

    /// Reads `mean,count`.
    static func list(_ text: String) throws(Failure) -> [Aggregate] {
        var list: [Aggregate] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let word = String(part.filter { $0 != " " })
            guard let aggregate = Aggregate(rawValue: word) else {
                let all = allCases.map(\.rawValue).joined(separator: ", ")
                throw Failure(.wrongCall, "\"\(cut(word, to: 40))\" is no aggregate; there are \(all)")
            }
            guard !list.contains(aggregate) else { throw Failure(.wrongCall, "\(aggregate) stands twice") }
            list.append(aggregate)
        }
        return list
    }
}

/// The readings of one series in one window, as a few numbers. Numbers count as they are, flags as 1 and 0; texts, and what is not
/// finite, are counted and may be first or last.
struct Tally {
    private(set) var count = 0
    private var first = JSONValue.null
    private var last = JSONValue.null
    private var numbers = 0
    private var least = Double.infinity
    private var greatest = -Double.infinity
    /// Whether all of `numbers` were flags, which then are told as such.
    private var areFlags = true
    // A sum whose rounding errors are summed beside it: a million readings of 0.1 have the mean 0.1.
    private var sum = 0.0
    private var error = 0.0
    /// The mean reckoned without a sum, for numbers so great that theirs has no end.
    private var running = 0.0

    mutating func take(_ value: JSONValue) {
        if count == 0 { first = value }
        last = value
        count += 1
        switch value {
        case .number(let text):
            guard let number = Double(text), number.isFinite else { return }
            areFlags = false
            add(number)
        case .flag(let flag): add(flag ? 1 : 0)
        default: return
        }
    }

    private mutating func add(_ number: Double) {
        numbers += 1
        least = min(least, number)
        greatest = max(greatest, number)
        let next = sum + number
        error += sum.magnitude >= number.magnitude ? (sum - next) + number : (number - next) + sum
        sum = next
        running += number / Double(numbers) - running / Double(numbers)
    }

    /// `nil` where there is none: of texts, all but count, first and last.
    func value(_ aggregate: Aggregate) -> JSONValue? {
        switch aggregate {
        case .count: return .number(String(count))
        case .first: return first
        case .last: return last
        case .min: return numbers == 0 ? nil : told(least)
        case .max: return numbers == 0 ? nil : told(greatest)
        case .mean:
            guard numbers > 0 else { return nil }
            let mean = (sum + error) / Double(numbers)
            return Self.number(mean.isFinite ? Swift.min(Swift.max(mean, least), greatest) : running)
        }
    }

    private func told(_ number: Double) -> JSONValue { areFlags ? .flag(number == 1) : Self.number(number) }

    private static func number(_ number: Double) -> JSONValue {
        var json = JSONWriter()
        json.number(number)
        return .number(String(decoding: json.bytes, as: UTF8.self))
    }
}
