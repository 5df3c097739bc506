package import Model

/// The newest durable reading of every series. At most ``Limits/series`` of them; a series beyond that is not shown, but stored.
package struct LatestTable: Sendable {
    private var readings: [Series: StoredReading] = [:]
    private var ofThisRun: Set<Series> = []

    package init() {}

    package mutating func note(_ stored: StoredReading) {
        if ofThisRun.count < Limits.series { ofThisRun.insert(stored.reading.series) }
        set(stored)
    }

    /// Takes a reading of an earlier run; recalled ones come oldest first, and give way to those of this run.
    package mutating func recall(_ stored: StoredReading) {
        if !ofThisRun.contains(stored.reading.series) { set(stored) }
    }

    private mutating func set(_ stored: StoredReading) {
        let series = stored.reading.series
        if readings[series] != nil || readings.count < Limits.series { readings[series] = stored }
    }

    /// By series; all of them, or those that one of `globs` matches.
    package func readings(matching globs: [Glob]) -> [StoredReading] {
        readings.values
            .filter { stored in globs.isEmpty || globs.contains { $0.matches(stored.reading.series) } }
            .sorted { $0.reading.series < $1.reading.series }
    }
}
