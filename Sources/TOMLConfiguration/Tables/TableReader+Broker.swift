extension TableReader {
    /// The broker that the table names; the only one where it names none.
    func broker(among brokers: BrokerNames) -> String? {
        let names = brokers.names
        let have = names.isEmpty ? "describe one with [[broker]]" : "have: " + names.joined(separator: ", ")
        switch find("broker") {
        case .faulty: return nil
        case .missing:
            if names.count == 1 { return names[0] }
            if brokers.isComplete || !names.isEmpty {
                findings.fault(at: position, "\(title) needs `broker`", suggestion: have)
            }
            return nil
        case .item:
            return value("broker") { (item) throws(Unfit) in
                let name = try Read.text(item)
                guard names.contains(name) || !brokers.isComplete else {
                    throw Unfit(
                        "names no [[broker]] of this file: \(quoted(name))",
                        suggestion: Suggestion.nearest(to: name, among: names).map { "did you mean \"\($0)\"?" } ?? have
                    )
                }
                return name
            }?.value
        }
    }
}
