import Devices
import Environment
import GatewayCore
import Logging
import Model
import Posix
import Supervision
package import TOMLConfiguration

/// Taking over a changed configuration while the gateway runs. What did not change is not touched: its connection, its line, its counts.
extension Gateway {
    /// Applies what `load` gives. A configuration with faults changes nothing: the faults are logged, and `covey status` tells of them until
    /// a reload goes well. Not to be called again before it has returned.
    package func reload(_ load: () -> Result<GatewayConfiguration, ConfigurationFaults>) async {
        manager.reloading()
        switch load() {
        case .failure(let faults):
            for line in faults.lines { logger.error("\(line)") }
            let count = faults.faults.count == 1 ? "1 fault" : "\(faults.faults.count) faults"
            logger.error("the new configuration has \(count) and is not used; the gateway goes on as it was")
            parts.live.refuse(faults.lines)
        case .success(let new):
            let change = ConfigurationChange(started: configuration, new: new)
            let known = Set(parts.live.current.notes.map(\.message))
            var report = await apply(change)
            await renewKeys(&report)
            for note in new.notes where !known.contains(note.message) { logger.warning("\(note.message)") }
            tell(report.done) { logger.notice("reload: \($0)") }
            tell(report.failures) { logger.error("reload: \($0)") }
            for section in change.waiting { logger.warning("reload: \(section) waits for the next start") }
            logger.notice("reload: done")
        }
        manager.ready(status: "gateway \(parts.name) runs")
    }

    /// The key file may have other keys than at the start, which is how the key of a covey is changed without a gap.
    private func renewKeys(_ report: inout ReloadReport) async {
        guard let link = parts.peerLink else { return }
        do {
            if let keys = try link.renewKeys() {
                await parts.gateway.handle(.keysLoaded(keys))
                report.done.append("the covey's keys are other ones, \(keys.keys.count) of them")
            }
        } catch {
            report.failures.append("\(error); the covey's keys stay as they were")
        }
        do {
            if try link.renewCertificates() { report.done.append("the covey's certificates are other ones") }
        } catch {
            report.failures.append("\(error); the covey's certificates stay as they were")
        }
    }

    /// A new topic may change thousands of devices; so many lines can still be read.
    private static let linesTold = 20

    private func tell(_ lines: [String], _ write: (String) -> Void) {
        for line in lines.prefix(Self.linesTold) { write(line) }
        if lines.count > Self.linesTold { write("and \(lines.count - Self.linesTold) more like these") }
    }

    /// New devices first, so that a message finds them; then the links; what is gone last, when nothing can bring it back.
    private func apply(_ change: ConfigurationChange) async -> ReloadReport {
        let old = parts.live.current
        let new = change.applied
        var report = ReloadReport()
        parts.live.take(change, at: parts.clock.stamp.wall)
        threshold.level = Logger.Level(rawValue: new.log.level.rawValue) ?? .notice
        await addDevices(of: new, &report)
        await exchangeLinks(old, new, &report)
        for (id, entry) in parts.directory.all {
            // A device that a topic brought may have an element of its own by now.
            guard let now = new.device(configuredAs: entry.pattern) ?? new.device(configuredAs: id.rawValue) else {
                await remove(id, &report)
                continue
            }
            // One that the old configuration does not know has just been added.
            if let was = old.device(configuredAs: entry.pattern), was != now {
                await alter(id, from: was, to: now, &report)
            }
        }
        return report
    }

    // MARK: Devices

    private func addDevices(of new: GatewayConfiguration, _ report: inout ReloadReport) async {
        for device in new.devices where !device.isPattern {
            guard let id = DeviceID(validating: device.id), parts.directory[id] == nil else { continue }
            guard parts.roster.admit(id) else {
                report.failures.append(
                    "device \(id): there are \(Limits.devices) devices already, the most there may be")
                continue
            }
            parts.directory.place(id, device, now: parts.clock.now)
            await start(id, &report)
            report.done.append("device \(id) is new")
        }
    }

    private func alter(
        _ id: DeviceID, from old: DeviceConfiguration, to new: DeviceConfiguration, _ report: inout ReloadReport
    ) async {
        let entry = parts.directory.place(id, new, now: parts.clock.now)
        await entry.device.adopt(new.policy, now: parts.clock.now)
        // A line that goes on as it was is not let go: its edges would be missed meanwhile.
        if new.hasDriver && new.source == old.source {
            report.done.append("device \(id) has other limits")
            return
        }
        await stop(id, &report)
        await start(id, &report)
        report.done.append("device \(id) has changed")
    }

    private func remove(_ id: DeviceID, _ report: inout ReloadReport) async {
        await stop(id, &report)
        // What its driver had given already is still taken.
        await parts.intake.close(id)
        parts.directory.remove(id)
        parts.roster.dismiss(id)
        report.done.append("device \(id) is gone; what it sent stays")
    }

    private func start(_ id: DeviceID, _ report: inout ReloadReport) async {
        guard let spec = deviceChild(id) else { return }
        do {
            try await supervisor.add(spec, under: ["devices"])
        } catch {
            report.failures.append("device \(id) cannot be started: \(error)")
        }
    }

    private func stop(_ id: DeviceID, _ report: inout ReloadReport) async {
        do {
            try await supervisor.remove(id.rawValue, under: ["devices"])
        } catch {
            // It has just appeared, and discovery has not placed it yet: it is placed with what is true by then.
            logger.debug("device \(id) has no child to stop: \(error)")
        }
    }

    // MARK: Brokers

    private func exchangeLinks(
        _ old: GatewayConfiguration, _ new: GatewayConfiguration, _ report: inout ReloadReport
    ) async {
        for broker in old.brokers where !new.reads(from: broker.name) {
            guard parts.ingestLinks[broker.name] != nil else { continue }
            await stopLink(broker.name, &report)
            parts.ingestLinks.remove(broker.name)
            report.done.append("broker \(broker.name) is not read any more")
        }
        for broker in new.brokers where new.reads(from: broker.name) {
            do {
                switch try await parts.ingestLinks.exchange(broker, in: new) {
                case .nothing: break
                case .routes: report.done.append("broker \(broker.name): devices or topics changed")
                case .link(let take):
                    // The broker keeps the session, so that what it gets between the two connections waits there.
                    await stopLink(broker.name, &report)
                    take()
                    try await supervisor.add(ingestChild(broker.name), under: ["brokers"])
                    report.done.append("broker \(broker.name) is connected to anew")
                }
            } catch {
                report.failures.append("broker \(broker.name): \(error)")
            }
        }
    }

    private func stopLink(_ name: String, _ report: inout ReloadReport) async {
        guard parts.ingestLinks[name] != nil else { return }
        do {
            try await supervisor.remove(Self.ingestChildName(name), under: ["brokers"])
        } catch {
            report.failures.append("broker \(name): the old connection cannot be stopped: \(error)")
        }
    }
}

/// How a reload ended.
private struct ReloadReport {
    /// What was done, a line each.
    var done: [String] = []
    /// What could not be done, a line each; the rest was.
    var failures: [String] = []
}

extension GatewayConfiguration {
    /// Whether any device is read from this broker.
    func reads(from broker: String) -> Bool {
        devices.contains {
            if case .mqtt(let source) = $0.source { source.broker == broker } else { false }
        }
    }
}

extension DeviceConfiguration {
    /// Whether it stands for every device that its topic names.
    var isPattern: Bool { id.contains("{device}") }

    /// Whether a driver of its own speaks for it, not a broker.
    var hasDriver: Bool {
        if case .mqtt = source { false } else { true }
    }
}
