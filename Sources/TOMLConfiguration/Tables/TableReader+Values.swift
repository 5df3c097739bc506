import Model

/// The kinds of value that keys take. Each says what is allowed, so that a message can.
enum Read {
    static func text(_ item: TOMLItem) throws(Unfit) -> String {
        guard case .string(let text) = item.value else {
            throw Unfit("must be a text, not \(item.description)", suggestion: asText(item))
        }
        guard !text.isEmpty else { throw Unfit("must not be empty") }
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw Unfit("must not hold control characters")
        }
        return text
    }

    private static func asText(_ item: TOMLItem) -> String? {
        switch item.value {
        case .integer(let integer): "write it in quotes: \"\(integer)\""
        case .float(let number): "write it in quotes: \"\(number)\""
        case .boolean(let flag): "write it in quotes: \"\(flag)\""
        default: nil
        }
    }

    static func flag(_ item: TOMLItem) throws(Unfit) -> Bool {
        if case .boolean(let flag) = item.value { return flag }
        var suggestion: String?
        if case .string(let text) = item.value {
            switch text.lowercased() {
            case "true", "yes", "on": suggestion = "write true, without quotes"
            case "false", "no", "off": suggestion = "write false, without quotes"
            default: break
            }
        }
        throw Unfit("must be true or false, not \(item.description)", suggestion: suggestion)
    }

    static func integer(_ item: TOMLItem, in range: ClosedRange<Int64>) throws(Unfit) -> Int {
        let allowed = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard case .integer(let integer) = item.value else {
            var suggestion: String?
            if case .string(let text) = item.value, let number = Int64(text), range.contains(number) {
                suggestion = "write \(number), without quotes"
            }
            throw Unfit("must be \(allowed), not \(item.description)", suggestion: suggestion)
        }
        guard range.contains(integer) else { throw Unfit("must be \(allowed), not \(integer)") }
        return Int(integer)
    }

    static func number(_ item: TOMLItem, in range: ClosedRange<Double>) throws(Unfit) -> Double {
        let number: Double
        switch item.value {
        case .integer(let integer): number = Double(integer)
        case .float(let float): number = float
        default: throw Unfit("must be a number, not \(item.description)")
        }
        guard range.contains(number) else {
            throw Unfit("must be a number from \(range.lowerBound) to \(range.upperBound), not \(number)")
        }
        return number
    }

    static func choice<Choice: CaseIterable & RawRepresentable>(
        _ item: TOMLItem, _ type: Choice.Type = Choice.self, later: [String] = []
    ) throws(Unfit) -> Choice where Choice.RawValue == String {
        let words = Choice.allCases.map(\.rawValue)
        let have = "have: " + words.joined(separator: ", ")
        guard case .string(let word) = item.value else {
            throw Unfit("must be a word in quotes, not \(item.description)", suggestion: have)
        }
        if let choice = Choice(rawValue: word) { return choice }
        if later.contains(word) { throw Unfit("\(quoted(word)) is not in this version", suggestion: have) }
        throw Unfit(
            "cannot be \(quoted(word))",
            suggestion: Suggestion.nearest(to: word, among: words).map { "did you mean \"\($0)\"?" } ?? have)
    }

    /// `words` are what may be written instead of a duration, with what they mean.
    static func duration(
        _ item: TOMLItem, in range: ClosedRange<Duration>, words: [(word: String, meaning: Duration)] = []
    ) throws(Unfit) -> Duration {
        let allowed =
            "a duration from \"\(range.lowerBound.text)\" to \"\(range.upperBound.text)\""
            + words.map { " or \"\($0.word)\"" }.joined()
        switch item.value {
        case .string(let text):
            if let word = words.first(where: { $0.word == text }) { return word.meaning }
            guard let duration = Duration(text: text) else {
                let unit = hasNoUnit(text) ? "did you mean \"\(text) s\"?" : "units: us, ms, s, min, h, d, w"
                throw Unfit("must be \(allowed), not \(quoted(text))", suggestion: unit)
            }
            guard range.contains(duration) else { throw Unfit("must be \(allowed), not \(quoted(text))") }
            return duration
        case .integer(let number):
            if number == 0, range.contains(.zero) { return .zero }
            throw Unfit("must be \(allowed), not \(item.description)", suggestion: "did you mean \"\(number) s\"?")
        default: throw Unfit("must be \(allowed), not \(item.description)")
        }
    }

    static func size(_ item: TOMLItem, in range: ClosedRange<ByteCount>) throws(Unfit) -> ByteCount {
        let allowed = "a size from \"\(range.lowerBound)\" to \"\(range.upperBound)\""
        switch item.value {
        case .string(let text):
            guard let size = ByteCount(text: text) else {
                let unit =
                    hasNoUnit(text) ? "did you mean \"\(text) MiB\"?" : "units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB"
                throw Unfit("must be \(allowed), not \(quoted(text))", suggestion: sizeSlip(text) ?? unit)
            }
            guard range.contains(size) else { throw Unfit("must be \(allowed), not \(quoted(text))") }
            return size
        case .integer(let number):
            throw Unfit("must be \(allowed), not \(item.description)", suggestion: "did you mean \"\(number) MiB\"?")
        default: throw Unfit("must be \(allowed), not \(item.description)")
        }
    }

    /// `1 G`, `64m` and `1 gib` are what hands write.
    private static func sizeSlip(_ text: String) -> String? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == " ") }
        let number = digits.split(separator: " ").joined()
        let unit = text.dropFirst(digits.count).lowercased()
        guard Double(number) != nil, let first = unit.first else { return nil }
        guard ["", "b", "ib"].contains(String(unit.dropFirst())),
            let prefix = ["k": "K", "m": "M", "g": "G", "t": "T"][first]
        else { return nil }
        return "did you mean \"\(number) \(prefix)iB\"?"
    }

    private static func hasNoUnit(_ text: String) -> Bool { Double(text) != nil }

    private static let secondsPerUnit: [String: Double] = ["s": 1, "min": 60, "h": 3600, "d": 86_400]

    /// `10/s`, `600/min`, or a number of readings per second.
    static func rate(_ item: TOMLItem) throws(Unfit) -> Rate {
        let range = Bounds.ratePerSecond
        let allowed = "a rate such as \"10/s\", \"600/min\" or \"3600/h\""
        let perSecond: Double
        switch item.value {
        case .integer(let integer): perSecond = Double(integer)
        case .float(let number): perSecond = number
        case .string(let text):
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            let count = parts.first.flatMap { Double($0.filter { $0 != " " }) }
            let seconds = parts.last.flatMap { secondsPerUnit[$0.filter { $0 != " " }] }
            guard parts.count == 2, let count, let seconds else {
                throw Unfit("must be \(allowed), not \(quoted(text))")
            }
            perSecond = count / seconds
        default: throw Unfit("must be \(allowed), not \(item.description)")
        }
        guard range.contains(perSecond) else {
            throw Unfit("must lie between 1 reading a day and \(Int(range.upperBound)) a second")
        }
        return Rate(perSecond: perSecond)
    }

    static func hostPort(_ item: TOMLItem) throws(Unfit) -> HostPort {
        let text = try text(item)
        guard let address = Address.hostPort(text) else {
            throw Unfit("must be HOST:PORT, not \(quoted(text))", suggestion: "for example \"127.0.0.1:8470\"")
        }
        return address
    }
}
