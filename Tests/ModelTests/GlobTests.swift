import Model
import Testing

@Suite("Globs")
struct GlobTests {
    @Test(
        "a glob matches a series by device and metric, or a device by its name alone",
        arguments: [
            ("soil-3", true), ("soil-3/moisture", true), ("soil-*", true), ("*", true), ("*/moisture", true),
            ("soil-?/m*e", true), ("**", true), ("s*3", true), ("soil-3/", false), ("moisture", false), ("soil", false),
            ("soil-33", false), ("?", false), ("", false), ("*/temperature", false), ("soil-3/*x*", false),
        ])
    func series(pattern: String, matches: Bool) {
        #expect(Glob(pattern).matches(Series(device: DeviceID("soil-3"), metric: "moisture", unit: "%")) == matches)
    }

    @Test("a glob agrees with its definition on every short pattern and text")
    func definition() {
        let letters: [Character] = ["a", "b", "*", "?"]
        var patterns = [""]
        for _ in 0..<4 { patterns += patterns.flatMap { start in letters.map { start + String($0) } } }
        patterns = Array(Set(patterns)).sorted()
        var texts = [""]
        for _ in 0..<4 { texts += texts.flatMap { start in ["a", "b"].map { start + $0 } } }
        for pattern in patterns {
            let glob = Glob(pattern)
            for text in Set(texts) where glob.matches(text) != Self.defined(Array(pattern)[...], Array(text)[...]) {
                Issue.record("\(pattern) on \(text)")
            }
        }
    }

    @Test("a hostile pattern costs no more than the product of the lengths")
    func hostile() {
        let pattern = String(repeating: "a*", count: 200) + "b"
        #expect(!Glob(pattern).matches(String(repeating: "a", count: 5000)))
    }

    private static func defined(_ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "*" {
            return defined(pattern.dropFirst(), text) || (!text.isEmpty && defined(pattern, text.dropFirst()))
        }
        guard let letter = text.first, first == "?" || first == letter else { return false }
        return defined(pattern.dropFirst(), text.dropFirst())
    }
}
