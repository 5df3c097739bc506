package import Model
package import RingLog

/// The newest durable reading of every series, and its last values. At most ``Limits/series`` of them; a series
/// beyond that is not shown, but stored. One table is this gateway's own; another has those of all others together.
///
/// The values of all series lie in one buffer of 96 bytes each, 3 MiB at the most: one allocation, which grows with
/// the series, and which a copy of the table shares.
package struct LatestTable: Sendable {
    /// A series with its last values.
    package struct Entry: Sendable {
        package let stored: StoredReading
        /// Oldest first, at most ``Limits/historyValues``; flags as 0 and 1, texts not at all.
        package let history: [Float]
    }

    private struct Row: Sendable {
        let owner: NodeID?
        var stored: StoredReading
        var isOfThisRun: Bool
        /// Values held, and where the next one goes.
        var held: UInt8 = 0
        var next: UInt8 = 0
    }

    private static let length = Limits.historyValues

    /// A series of this gateway's, or of another one's.
    private struct Key: Hashable, Comparable, Sendable {
        let series: Series
        let owner: NodeID?

        static func < (left: Key, right: Key) -> Bool {
            if left.series != right.series { return left.series < right.series }
            guard let one = left.owner, let other = right.owner else { return left.owner == nil && right.owner != nil }
            return one < other
        }
    }

    private var places: [Key: Int] = [:]
    private var rows: [Row] = []
    /// ``length`` slots for each row, used in a circle.
    private var values: [Float] = []

    package init() {}

    package mutating func note(_ stored: StoredReading) {
        guard let place = place(of: stored) else { return }
        rows[place].stored = stored
        rows[place].isOfThisRun = true
        remember(stored.reading.value, at: place)
    }

    /// Takes a reading of an earlier run; recalled ones come oldest first, and give way to those of this run.
    package mutating func recall(_ stored: StoredReading) {
        guard let place = place(of: stored), !rows[place].isOfThisRun else { return }
        let known = rows[place].stored
        // What was known came from a snapshot and is older or comes again: the values begin here.
        if rows[place].held > 0, known.log == stored.log, known.offset >= stored.offset { rows[place].held = 0 }
        rows[place].stored = stored
        remember(stored.reading.value, at: place)
    }

    /// Takes a reading of another gateway's. They come in any order: an older one changes nothing.
    package mutating func noteCopy(_ stored: StoredReading, of owner: NodeID, clock: ClockTable) {
        let isKnown = places[Key(series: stored.reading.series, owner: owner)] != nil
        guard let place = place(of: stored, owner) else { return }
        let known = rows[place].stored
        if isKnown {
            let isNewer =
                known.log == stored.log
                ? known.offset < stored.offset
                : clock.time(of: known.reading.stamp).time <= clock.time(of: stored.reading.stamp).time
            guard isNewer else { return }
        }
        rows[place].stored = stored
        remember(stored.reading.value, at: place)
    }

    /// `nil` for a series of this gateway's of which there is none.
    package func reading(of series: Series) -> StoredReading? {
        places[Key(series: series, owner: nil)].map { rows[$0].stored }
    }

    /// By series; all of them, or those that one of `globs` matches.
    package func readings(matching globs: [Glob]) -> [StoredReading] { places(matching: globs).map { rows[$0].stored } }

    /// As ``readings(matching:)``, each with its last `values`, 0 to ``Limits/historyValues``.
    package func entries(matching globs: [Glob], values: Int) -> [Entry] {
        places(matching: globs).map { Entry(stored: rows[$0].stored, history: history(at: $0, values)) }
    }

    private func places(matching globs: [Glob]) -> [Int] {
        rows.indices
            .filter { place in globs.isEmpty || globs.contains { $0.matches(rows[place].stored.reading.series) } }
            .sorted { key(at: $0) < key(at: $1) }
    }

    private func key(at place: Int) -> Key {
        Key(series: rows[place].stored.reading.series, owner: rows[place].owner)
    }

    private func history(at place: Int, _ most: Int) -> [Float] {
        let row = rows[place]
        let count = min(Int(row.held), most)
        let first = Int(row.next) + Self.length - count
        return (0..<max(0, count)).map { values[place * Self.length + (first + $0) % Self.length] }
    }

    /// Where a series is kept; `nil` where there are too many, and for what stands for readings of the past.
    private mutating func place(of stored: StoredReading, _ owner: NodeID? = nil) -> Int? {
        let key = Key(series: stored.reading.series, owner: owner)
        if let place = places[key] { return place }
        guard rows.count < Limits.series, !stored.reading.series.isDownsampled else { return nil }
        places[key] = rows.count
        rows.append(Row(owner: owner, stored: stored, isOfThisRun: false))
        values.append(contentsOf: repeatElement(0, count: Self.length))
        return rows.count - 1
    }

    private mutating func remember(_ value: Value, at place: Int) {
        let number: Float
        switch value {
        case .number(let double):
            let most = Double(Float.greatestFiniteMagnitude)
            number = Float(min(max(double, -most), most))
        case .flag(let flag): number = flag ? 1 : 0
        case .text: return
        }
        values[place * Self.length + Int(rows[place].next)] = number
        rows[place].next = (rows[place].next + 1) % UInt8(Self.length)
        rows[place].held = min(rows[place].held + 1, UInt8(Self.length))
    }
}
