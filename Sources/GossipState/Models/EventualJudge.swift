// Pure.

/// Judges histories of the eventual model: equal knowledge reads alike, nothing is read that nobody wrote, and in the
/// end all agree.
package struct EventualJudge: HistoryJudge {
    package init() {}

    package func faults(in history: StateHistory) -> [String] {
        disagreements(history.readings) { $0.context } + disagreements(history.final) { _ in 0 }
            + (history.readings + history.final).compactMap { unwritten($0, history) }
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

    private func unwritten(_ reading: StateHistory.Reading, _ history: StateHistory) -> String? {
        let changes = history.changes.filter { $0.name == reading.name }
        let isExplained =
            switch reading.value {
            case nil: true
            case .bytes(let value): changes.contains { $0.change == .put(value) }
            case .elements(let elements):
                elements.allSatisfy { element in
                    changes.contains { $0.element == element && $0.change == .insert }
                }
            case .count: !changes.isEmpty
            }
        return isExplained ? nil : "\(reading.replica) reads \(reading.name), which nobody wrote"
    }
}
