extension RunOptions {
    /// As the command line gives them, behind a seed; empty where the seed draws everything.
    package var arguments: [String] {
        var words: [String] = []
        if let gateways { words += ["--gateways", "\(gateways)"] }
        if let seconds { words += ["--seconds", "\(seconds)"] }
        if let pace { words += ["--pace", "\(pace)"] }
        if let only { words += ["--only", only.names] }
        if !without.kinds.isEmpty { words += ["--without", without.names] }
        if let bug { words += ["--bug", bug.rawValue] }
        if checksEveryStep { words.append("--every-step") }
        return words
    }
}

extension FaultSet {
    /// With commas between, as ``init(names:)`` reads them.
    package var names: String { kinds.isEmpty ? "none" : kinds.map(\.name).joined(separator: ",") }

    /// Reads names with commas between, or `none`; `nil` where a name is unknown.
    package init?(names: String) {
        self.init()
        guard names != "none" else { return }
        for name in names.split(separator: ",") {
            guard let kind = FaultKind.allCases.first(where: { $0.name == name }) else { return nil }
            insert(kind)
        }
    }
}
