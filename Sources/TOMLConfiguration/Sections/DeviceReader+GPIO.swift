import Model

/// What concerns `driver = "gpio"`.
extension DeviceReader {
    func gpio() -> DeviceConfiguration.GPIOSource? {
        let chip = reader.value("chip") { (item) throws(Unfit) in
            let chip = try Read.text(item)
            guard !chip.contains(" "), chip.hasPrefix("/") || !chip.contains("/") else {
                throw Unfit("must be a chip such as gpiochip0 or a path below /dev, not \(quoted(chip))")
            }
            return chip
        }
        let line = reader.required("line", example: "line = 3, or its name: line = \"DOOR\"", Self.line)
        let mode = reader.choice("mode", default: DeviceConfiguration.Mode.level)
        let edge = reader.value("edge") { (item) throws(Unfit) in
            try Read.choice(item, DeviceConfiguration.Edge.self)
        }
        if mode == .level, let edge, edge.value != .both, edge.value != .none {
            reader.findings.note(
                at: edge.position,
                "`edge` = \"\(edge.value.rawValue)\" with mode = \"level\" tells half of the changes",
                suggestion: "\"both\" follows the level")
        }
        let bias = reader.choice("bias", default: DeviceConfiguration.Bias.asIs)
        let activeLow = reader.flag("active_low", default: false)
        let debounce = reader.duration("debounce", in: Bounds.debounce)
        let interval = reader.duration("interval", in: Bounds.interval)
        checkSampling(mode: mode, edge: edge?.value)
        guard let line else { return nil }
        return DeviceConfiguration.GPIOSource(
            chip: chip?.value ?? Defaults.chip, line: line.value, mode: mode,
            edge: edge?.value ?? (mode == .level ? .both : .rising), bias: bias, activeLow: activeLow,
            debounce: debounce ?? .zero, interval: interval ?? Defaults.interval)
    }

    /// Levels are told as their edges come, or sampled; counts and frequencies need edges.
    private func checkSampling(mode: DeviceConfiguration.Mode, edge: DeviceConfiguration.Edge?) {
        let findings = reader.findings
        if edge == DeviceConfiguration.Edge.none, mode != .level {
            findings.fault(
                at: reader.keyPosition("edge"), "`edge` = \"none\" gives nothing for mode = \"\(mode.rawValue)\"",
                suggestion: "rising, falling or both")
        } else if edge == DeviceConfiguration.Edge.none, reader.has("debounce") {
            findings.fault(
                at: reader.keyPosition("debounce"), "`debounce` has no meaning with edge = \"none\"",
                suggestion: "a sampled level has no edges")
        } else if mode == .level, edge != DeviceConfiguration.Edge.none, reader.has("interval") {
            findings.fault(
                at: reader.keyPosition("interval"),
                "`interval` has no meaning here: changes of the level are told as they come",
                suggestion: "mode = \"count\" or \"frequency\", or edge = \"none\" to sample")
        }
    }

    private static func line(_ item: TOMLItem) throws(Unfit) -> DeviceConfiguration.Line {
        switch item.value {
        case .integer: return .number(try Read.integer(item, in: Bounds.line))
        case .string:
            let name = try Read.text(item)
            // The kernel's names of lines have 32 bytes with their end.
            guard name.utf8.count <= 31 else { throw Unfit("is a name of 31 bytes at most, not \(quoted(name))") }
            return .name(name)
        default: throw Unfit("must be a number or a name, not \(item.description)")
        }
    }
}
