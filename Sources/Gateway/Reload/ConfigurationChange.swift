import TOMLConfiguration

/// What of a new configuration can be applied to the running gateway, and what has to wait for its next start.
///
/// | section | on reload |
/// |---|---|
/// | `[[device]]` | applied |
/// | `[[broker]]` | its reading connection is applied; its publishing connection waits |
/// | `[storage]` | `commit_window` is applied, the rest waits |
/// | `[log]` | applied |
/// | `[cluster]` | its key file and certificates are read again; the rest waits |
/// | `[gateway]`, `[api]`, `[[upload]]` | wait |
struct ConfigurationChange: Equatable, Sendable {
    /// What the gateway runs on from now on: the new file where it can be applied, the one it was started with elsewhere.
    let applied: GatewayConfiguration
    /// Sections and what of them waits for the next start, as a person would name them: `[api]`, `[[upload]] cloud`.
    let waiting: [String]

    /// - Parameters:
    ///   - started: What the gateway was started with.
    ///   - new: What the file says now.
    init(started: GatewayConfiguration, new: GatewayConfiguration) {
        var applied = started
        applied.devices = new.devices
        applied.brokers = new.brokers
        applied.log = new.log
        applied.notes = new.notes
        applied.storage.commitWindow = new.storage.commitWindow
        self.applied = applied

        var waiting: [String] = []
        if started.gateway != new.gateway { waiting.append("[gateway]") }
        if started.api != new.api { waiting.append("[api]") }
        if applied.storage != new.storage { waiting.append("[storage]") }
        if started.cluster != new.cluster { waiting.append("[cluster]") }
        waiting += Self.names(started.uploads, new.uploads) { $0.name }.map { "[[upload]] \($0)" }
        waiting += Self.names(started.publishingBrokers, new.publishingBrokers) { $0.name }.map {
            "[[broker]] \($0): the connection that publishes"
        }
        self.waiting = waiting
    }

    /// The names of elements that came, went or changed, in the order of the new ones, what went last.
    private static func names<Element: Hashable>(_ old: [Element], _ new: [Element], by name: (Element) -> String)
        -> [String]
    {
        new.filter { !old.contains($0) }.map(name)
            + old.filter { element in !new.contains { name($0) == name(element) } }.map(name)
    }
}

extension GatewayConfiguration {
    /// Brokers at which something is published: local topics, or the batches of an upload.
    var publishingBrokers: [BrokerConfiguration] { brokers.filter(isPublishing) }

    func isPublishing(_ broker: BrokerConfiguration) -> Bool {
        broker.publish
            || uploads.contains {
                if case .mqtt(let target) = $0.target { target.broker == broker.name } else { false }
            }
    }

    /// The element with this id, perhaps with `{device}`.
    func device(configuredAs id: String) -> DeviceConfiguration? { devices.first { $0.id == id } }
}
