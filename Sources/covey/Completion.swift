import ArgumentParser
import Model

/// Names for the shell to complete, taken from the daemon. Without one, or with a slow one, there are none, at once
/// and without a word.
enum Completion {
    /// A shell waits for us with the person's finger on the key.
    private static let patience = Duration.milliseconds(500)
    /// More are no choice.
    private static let most = 200

    /// `DEVICE` and `DEVICE/METRIC`; the metrics are offered once a device stands there.
    static let series = CompletionKind.custom { words, _, prefix in
        let client = DaemonClient(path: socket(words), patience: patience)
        guard let readings = try? client.document("/v1/latest").elements.compactMap(ReadingRow.init) else { return [] }
        let devices = Set(readings.map(\.device))
        let names = prefix.contains("/") ? Set(readings.map { "\($0.device)/\($0.metric)" }) : devices
        return Array(names.filter { $0.hasPrefix(prefix) && isPlain($0) }.sorted().prefix(most))
    }

    private static func socket(_ words: [String]) -> String {
        let given = words.firstIndex(of: "--socket").flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
        return given ?? DaemonOptions.defaultSocket
    }

    /// What no shell takes for more than a name.
    private static func isPlain(_ name: String) -> Bool {
        name.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "-._/".unicodeScalars.contains(scalar)
        }
    }
}
