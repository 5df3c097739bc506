import Environment
import GatewayCore
import KeyValue
import LogFormat
import Model

/// Keeps the newest reading of every series over a restart, so that `covey latest` knows a sensor that speaks once a day.
struct LatestSnapshot: Sendable {
    let store: any KeyValueStore

    /// One transaction, whatever the number of series.
    func save(_ readings: [StoredReading]) async throws(KeyValueError) {
        try await store.apply(
            readings.map { stored in
                .put(.latest, key: key(stored.reading.series), value: StoredReadingRecord.encode(stored))
            })
    }

    /// Everything that can be read; a record that cannot is left out, since the next snapshot replaces it.
    func load() async throws(KeyValueError) -> [StoredReading] {
        try await store.scan(.latest, prefix: "", limit: Limits.series).compactMap {
            StoredReadingRecord.decode($0.value)
        }
    }

    private func key(_ series: Series) -> String { "\(series)\u{1F}\(series.unit ?? "")" }
}
