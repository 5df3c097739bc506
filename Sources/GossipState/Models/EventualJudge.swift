// Pure.

/// Judges histories of the eventual model: equal knowledge reads alike, nothing is read that nobody wrote, and in the
/// end all agree.
package struct EventualJudge: HistoryJudge {
    package init() {}

    package func faults(in history: StateHistory) -> [String] {
        let written = Set(history.changes.map { Written(name: $0.name, element: $0.element, change: $0.change) })
        let counted = Set(history.changes.map(\.name))
        return disagreements(history.readings) { $0.context } + disagreements(history.final) { _ in 0 }
            + (history.readings + history.final).compactMap { unexplained($0, written, counted) }
    }

    private struct Written: Hashable {
        let name: StateName
        let element: [UInt8]
        let change: StateChange
    }

    private func disagreements(
        _ readings: [StateHistory.Reading], by context: (StateHistory.Reading) -> UInt64
    ) -> [String] {
        struct Place: Hashable {
            let context: UInt64
            let name: StateName
        }
        var first: [Place: StateHistory.Reading] = [:]
        var faults: [String] = []
        for reading in readings {
            let place = Place(context: context(reading), name: reading.name)
            if let other = first[place] {
                guard other.value != reading.value else { continue }
                faults.append(
                    "\(other.replica) and \(reading.replica) know the same writes but read \(reading.name) as "
                        + "\(String(describing: other.value)) and \(String(describing: reading.value))")
            } else {
                first[place] = reading
            }
        }
        return faults
    }

    private func unexplained(
        _ reading: StateHistory.Reading, _ written: Set<Written>, _ counted: Set<StateName>
    ) -> String? {
        let name = reading.name
        let isExplained =
            switch reading.value {
            case nil: true
            case .bytes(let value): written.contains(Written(name: name, element: [], change: .put(value)))
            case .elements(let elements):
                elements.allSatisfy { written.contains(Written(name: name, element: $0, change: .insert)) }
            case .count: counted.contains(name)
            }
        return isExplained ? nil : "\(reading.replica) reads \(name), which nobody wrote"
    }
}
