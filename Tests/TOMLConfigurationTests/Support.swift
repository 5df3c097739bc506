import Testing

@testable import TOMLConfiguration

/// Reads `text` as `covey.toml` in `/etc/covey`, without looking at files.
func load(_ text: String) -> Result<GatewayConfiguration, ConfigurationFaults> {
    GatewayConfiguration.load(text: text, path: "/etc/covey/covey.toml", files: .none)
}

/// The configuration, or a recorded issue with every fault.
func loaded(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> GatewayConfiguration {
    switch load(text) {
    case .success(let configuration): return configuration
    case .failure(let faults):
        Issue.record("\(faults)", sourceLocation: sourceLocation)
        throw faults
    }
}

/// `LINE:COLUMN: message (suggestion)` of every fault.
func faults(_ text: String, files: FileCheck = .none) -> [String] {
    let path = "covey.toml"
    guard case .failure(let faults) = GatewayConfiguration.load(text: text, path: path, files: files) else { return [] }
    return faults.lines.map { String($0.dropFirst(path.utf8.count + 1)) }
}

let broker = """
    [[broker]]
    name = "local"
    url = "mqtt://127.0.0.1"

    """
