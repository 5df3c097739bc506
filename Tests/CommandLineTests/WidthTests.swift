import Glibc
import Model
import Testing

@testable import covey

/// Whatever a daemon sends, no line is wider than the terminal, by the measure of the C library.
@Suite struct WidthTests {
    /// Not among what Swift imports of the C library.
    private static let wcwidth = unsafeBitCast(dlsym(nil, "wcwidth"), to: (@convention(c) (CInt) -> CInt).self)
    private static let now = Milliseconds(1_763_700_000_000)

    init() {
        setlocale(LC_CTYPE, "C.UTF-8")
    }

    @Test(arguments: 0..<40)
    func `no table and no status wraps, and nothing of it commands the terminal`(seed: UInt64) {
        var document = RandomDocument(random: SplitMix(state: seed))
        for _ in 0..<5 {
            let terminal = Terminal(width: Int.random(in: 40...200, using: &document.random), hasColour: false)
            var table = ReadingTable(terminal, now: Self.now)
            var lines = StatusText.lines(document.status(), terminal, now: Self.now)
            lines += ListText.devices(document.devices().elements, now: Self.now).lines(terminal)
            lines += ListText.uploads(document.uploads().elements).lines(terminal)
            lines += ListText.peers(document.peers().elements).lines(terminal)
            lines += ListText.latest(document.readings(), now: Self.now).lines(terminal)
            for _ in 0..<3 { lines += table.lines(document.readings().compactMap(ReadingRow.init)) }
            for line in lines { check(line, terminal.width, seed) }
        }
    }

    @Test(arguments: 0..<200)
    func `text is never measured narrower than it is`(seed: UInt64) {
        var document = RandomDocument(random: SplitMix(state: seed))
        let text = printable(document.text())
        #expect(columns(text) >= width(text) ?? .max, "\(text.debugDescription)")
        for most in [1, 2, 7, 40] {
            #expect(width(cut(text, to: most)) ?? .max <= most, "\(text.debugDescription)")
            for line in wrapped(text, to: max(most, 2)) { #expect(width(line) ?? .max <= max(most, 2)) }
        }
    }

    @Test func `at 80 columns five-digit counts and usual names are whole`() {
        let device =
            #"[{"id":"greenhouse-a-soil-moisture-bed-14","driver":"simulated","state":"quarantined","last_t":0,"stored":99999,"rejected":{"malformed":12345},"dropped":{"quota":54321}}]"#
        let lines = ListText.devices(JSONValue(device.utf8)!.elements, now: Self.now)
            .lines(Terminal(width: 80, hasColour: false))
        for word in ["greenhouse-a-so…", "quarantined", "1970-01-01", "99999", "12345", "54321"] {
            #expect(lines[1].contains(word), "\(lines)")
        }
    }

    @Test func `counts without room are short and never rounded up`() {
        let counts: [(Int64, String)] = [
            (9999, "9999"), (10_000, "10k"), (12_399, "12.3k"), (999_999, "999k"), (1_250_000, "1.25M"),
            (-45_678, "-45.6k"), (.max, "9.22E"), (.min, "-9.22E"),
        ]
        for (count, text) in counts { #expect(Cell.short(count) == text) }
    }

    @Test func `coloured lines are as wide as plain ones`() {
        var document = RandomDocument(random: SplitMix(state: 5))
        let status = document.status()
        let plain = StatusText.lines(status, Terminal(width: 80, hasColour: false), now: Self.now)
        let coloured = StatusText.lines(status, Terminal(width: 80, hasColour: true), now: Self.now)
        #expect(coloured != plain)
        #expect(coloured.map { $0.replacing(/\u{1B}\[\d*m/.matchingSemantics(.unicodeScalar), with: "") } == plain)
    }

    private func check(_ line: String, _ most: Int, _ seed: UInt64) {
        guard let width = width(line) else {
            Issue.record("seed \(seed): what cannot be shown is in \(line.debugDescription)")
            return
        }
        #expect(width <= most, "seed \(seed): \(line.debugDescription)")
    }

    /// As the C library measures it; `nil` where it holds what cannot be shown.
    private func width(_ text: String) -> Int? {
        let widths = text.unicodeScalars.map { Self.wcwidth(CInt(bitPattern: $0.value)) }
        return widths.contains { $0 < 0 } ? nil : widths.reduce(0) { $0 + Int($1) }
    }
}
