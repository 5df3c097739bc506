import Model

/// What `broker` may name.
struct BrokerNames {
    let names: [String]
    /// `false` where a broker's name could not be read: then a name that is not here proves nothing.
    let isComplete: Bool
}

/// Reads the whole tree: the sections that stand once, then those that may be repeated, then what only shows in their company.
struct RootReader {
    let findings: Findings
    let folder: String
    /// `false` where sections may be missing that the text has.
    let isWhole: Bool

    func read(_ root: TOMLTable) -> GatewayConfiguration {
        reportUnknownSections(root)
        let gateway = identity(single("gateway", in: root))
        let storage = storage(single("storage", in: root), isClustered: root["cluster"] != nil)
        let brokers = each("broker", by: "name", in: root, limit: Bounds.brokers) { table in
            BrokerReader(table, findings: findings, folder: folder, gateway: gateway.name).read()
        }
        let names = brokerNames(root)
        let devices = each("device", by: "id", in: root, limit: Limits.devices) { table in
            DeviceReader(table, findings: findings, folder: folder, storage: storage, brokers: names).read()
        }
        let uploads = each("upload", by: "name", in: root, limit: Bounds.uploads) { table in
            UploadReader(table, findings: findings, folder: folder, brokers: names).read()
        }
        let configuration = GatewayConfiguration(
            gateway: gateway, api: api(single("api", in: root)), storage: storage,
            brokers: brokers.compactMap { $0?.value },
            devices: devices.compactMap { $0?.value }, cluster: cluster(root),
            uploads: uploads.compactMap { $0?.value },
            log: log(single("log", in: root)))
        CrossChecks(
            findings: findings, gateway: gateway.name, brokers: brokers.compactMap(\.self),
            devices: devices.compactMap(\.self), uploads: uploads.compactMap(\.self),
            cluster: configuration.cluster
        ).run()
        return configuration
    }

    private static let singles = ["gateway", "api", "storage", "cluster", "log"]
    private static let repeated = ["broker", "device", "upload"]

    private func reportUnknownSections(_ root: TOMLTable) {
        let sections = Self.singles + Self.repeated
        for entry in root.entries where !sections.contains(entry.key) {
            if findings.repairedLines.contains(entry.keyPosition.line) { continue }
            let isSection: Bool
            switch entry.item.value {
            case .table: isSection = true
            case .array(let items): isSection = items.contains { if case .table = $0.value { true } else { false } }
            default: isSection = false
            }
            guard isSection else {
                findings.fault(
                    at: entry.keyPosition, "key `\(entry.key)` stands before the first section",
                    suggestion: "every key belongs into a section such as [gateway]")
                continue
            }
            let near = Suggestion.nearest(to: entry.key, among: sections)
            let known =
                "known: " + (Self.singles.map { "[\($0)]" } + Self.repeated.map { "[[\($0)]]" }).joined(separator: ", ")
            findings.fault(
                at: entry.keyPosition, "unknown section `\(entry.key)`",
                suggestion: near.map { "did you mean \(Self.header($0))?" } ?? known)
        }
    }

    private static func header(_ name: String) -> String { repeated.contains(name) ? "[[\(name)]]" : "[\(name)]" }

    /// The table of a section that stands once at most; an empty one where it is missing.
    private func single(_ name: String, in root: TOMLTable) -> TableReader {
        var table = TOMLTable(position: TextPosition(line: 1, column: 1), entries: [])
        if let entry = root[name] {
            if case .table(let found) = entry.item.value {
                table = found
            } else if !findings.repairedLines.contains(entry.keyPosition.line) {
                findings.fault(
                    at: entry.keyPosition, "`\(name)` is a section of its own, not \(entry.item.description)",
                    suggestion: "write [\(name)]")
            }
        }
        return TableReader(table, title: "[\(name)]", findings: findings, folder: folder)
    }

    /// Every table of a repeated section with where it begins; those that gave nothing are `nil`.
    private func each<Part>(
        _ name: String, by key: String, in root: TOMLTable, limit: Int, _ read: (TOMLTable) -> Part?
    ) -> [Located<Part>?] {
        guard let entry = root[name] else { return [] }
        var tables: [TOMLTable] = []
        if case .array(let items) = entry.item.value {
            for item in items {
                guard case .table(let table) = item.value else {
                    findings.fault(
                        at: item.position, "`\(name)` holds \(item.description)", suggestion: "write [[\(name)]]")
                    continue
                }
                tables.append(table)
            }
        } else if case .table(let table) = entry.item.value {
            findings.fault(
                at: entry.keyPosition, "[\(name)] needs two brackets",
                suggestion: "write [[\(name)]]: there may be several")
            tables.append(table)
        } else if !findings.repairedLines.contains(entry.keyPosition.line) {
            findings.fault(
                at: entry.keyPosition, "`\(name)` is a section, not \(entry.item.description)",
                suggestion: "write [[\(name)]]")
        }
        if tables.count > limit {
            findings.fault(at: tables[limit].position, "there may be \(limit) [[\(name)]] at most, not \(tables.count)")
        }
        reportDoubles(of: key, in: tables, section: name)
        return tables.prefix(limit).map { table in read(table).map { Located(value: $0, position: table.position) } }
    }

    private func reportDoubles(of key: String, in tables: [TOMLTable], section: String) {
        var first: [String: TextPosition] = [:]
        for table in tables {
            guard let item = table[key]?.item, case .string(let name) = item.value else { continue }
            if let place = first[name] {
                findings.fault(
                    at: item.position, "two [[\(section)]] have the \(key) \(quoted(name))",
                    suggestion: "the first is on line \(place.line)")
            } else {
                first[name] = item.position
            }
        }
    }

    /// What brokers are called, also those whose section has other faults.
    private func brokerNames(_ root: TOMLTable) -> BrokerNames {
        guard let item = root["broker"]?.item else { return BrokerNames(names: [], isComplete: isWhole) }
        var tables: [TOMLTable] = []
        switch item.value {
        case .table(let table): tables.append(table)
        case .array(let items):
            tables = items.compactMap { if case .table(let table) = $0.value { table } else { nil } }
        default: break
        }
        let names = tables.compactMap { table -> String? in
            if case .string(let name) = table["name"]?.item.value { name } else { nil }
        }
        return BrokerNames(names: names, isComplete: isWhole && names.count == tables.count)
    }

    private func cluster(_ root: TOMLTable) -> ClusterConfiguration? {
        root["cluster"] == nil ? nil : cluster(single("cluster", in: root))
    }
}
