import Testing

/// One row of the matrix: what is wrong and where, the line that a person reads, the counter that moves, and what to do about it.
///
/// Each kind of source has a table of its own rows, whose last member says how the bad thing is brought about; ``Matrix`` has them all,
/// and `Documentation/BadInput.md` is written from it.
struct BadInput: Hashable, Sendable {
    /// What the page's sections are.
    enum Source: String, CaseIterable, Sendable {
        case payload = "Payloads"
        case topic = "Topics and floods"
        case configuration = "Configuration"
        case ring = "Ring and key-value store"
        case broker = "Brokers"
        case sink = "Sinks"
    }

    let source: Source
    /// Which of several, such as a decoder; empty where there is one.
    var kind = ""
    /// In a few words, of the source that the section names.
    let thing: String
    /// What a line of the log, or of `covey check`, holds; `nil` where nothing is said because nothing is wrong.
    let message: String?
    /// Members of `covey status --json`; empty where the program does not run.
    let counters: [Counter]
    /// What a person does about it.
    let advice: String
}

/// A member of `covey status --json`, by its path, and how it must have changed.
struct Counter: Hashable, Sendable {
    enum Move: Hashable, Sendable {
        case by(Int)
        case atLeast(Int)
        /// It now holds this text.
        case says(String)
    }

    /// Dotted; an element of an array by its `device` or `name`: `ledger.streams.boiler.rejected.empty`.
    let path: String
    let move: Move

    init(_ path: String, _ move: Move) {
        self.path = path
        self.move = move
    }

    /// As the page shows it.
    var text: String {
        switch move {
        case .by(let count): "`\(path)` +\(count)"
        case .atLeast(let count): "`\(path)` at least +\(count)"
        case .says(let text): "`\(path)` says “\(text)”"
        }
    }

    /// `nil` where it moved as it must, else what was seen instead.
    func fault(before: StatusTree, after: StatusTree) -> String? {
        let (old, new) = (before[path], after[path])
        switch move {
        case .by(let count):
            let moved = (new?.integer ?? 0) - (old?.integer ?? 0)
            return moved == count ? nil : "\(path) moved by \(moved), not by \(count)"
        case .atLeast(let count):
            let moved = (new?.integer ?? 0) - (old?.integer ?? 0)
            return moved >= count ? nil : "\(path) moved by \(moved), not by \(count) or more"
        case .says(let text):
            let said = new?.text ?? "nothing"
            return said.contains(text) ? nil : "\(path) says \(said), not \(text)"
        }
    }
}
