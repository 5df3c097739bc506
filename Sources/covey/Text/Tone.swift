/// What a cell means, shown by colour where there is one.
enum Tone {
    case plain, good, warning, bad, dim

    init(state: String) {
        switch state {
        case "ok", "good", "running", "connected", "idle", "alive", "uploading", "up": self = .good
        case "failed", "quarantined", "dead", "down", "bad", "refused": self = .bad
        case "–", "stopped", "left", "disabled": self = .dim
        default: self = .warning
        }
    }

    private var code: String {
        switch self {
        case .plain: ""
        case .good: "32"
        case .warning: "33"
        case .bad: "31"
        case .dim: "2"
        }
    }

    func dressed(_ text: String, _ terminal: Terminal) -> String {
        terminal.hasColour && self != .plain && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}

struct Cell {
    let text: String
    /// Said instead where the whole is too wide.
    let short: String?
    let tone: Tone
    /// Where it must be cut, its end stays: the last values of a trend are those that count.
    let keepsEnd: Bool

    init(_ text: String, _ tone: Tone = .plain, short: String? = nil, keepsEnd: Bool = false) {
        self.text = printable(text)
        self.short = short
        self.tone = tone
        self.keepsEnd = keepsEnd
    }

    /// A state, coloured by its word: one word, so that a table need not shrink it.
    init(state: String) { self.init(cut(printable(state), to: Self.stateColumns), Tone(state: state)) }

    /// `backing-off` and `quarantined` have eleven.
    private static let stateColumns = 12

    /// A count, exact where there is room and short (`1.25M`) where not; `–` where it is not known.
    init(count: Int64?, isLoss: Bool = false) {
        let isBad = isLoss && (count ?? 0) != 0
        self.init(count.map(String.init) ?? "–", isBad ? .warning : .plain, short: count.map(Self.short))
    }

    /// Four digits at the most, rounded down: what was lost must not look like more than there was.
    static func short(_ count: Int64) -> String {
        guard count.magnitude >= 10_000 else { return String(count) }
        var value = Double(count.magnitude) / 1000
        var suffixes = ["k", "M", "G", "T", "P", "E"][...]
        while value >= 1000, suffixes.count > 1 {
            value /= 1000
            suffixes.removeFirst()
        }
        let scale = value < 10 ? 100.0 : value < 100 ? 10 : 1
        let rounded = (value * scale).rounded(.down) / scale
        let text = rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
        return (count < 0 ? "-" : "") + text + suffixes[suffixes.startIndex]
    }
}
