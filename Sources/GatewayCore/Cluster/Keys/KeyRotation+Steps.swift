// Pure.
import Environment
package import Model

extension KeyRotation {
    // MARK: Orders

    /// Why no change can begin now, in words that say what to do; `nil` where one can.
    package var refusal: String? {
        if others.isEmpty {
            return "this gateway knows no other: put another key into its key_file, and reload it"
        }
        if wanted.isChanging {
            return "change \(wanted.rotation?.id.number ?? 0) of the key is under way: covey key rotate --status"
        }
        if wanted.keys.count >= KeyState.mostKeys {
            return "\(wanted.keys.count) keys are known, the most there may be"
        }
        return nil
    }

    mutating func begin(_ key: KeySecret, skipping: [NodeID]) {
        guard !wanted.isChanging, !wanted.knows(key.id), wanted.keys.count < KeyState.mostKeys else { return }
        wanted.keys.append(key)
        change(to: key.id, skipping: skipping)
    }

    mutating func skip(_ nodes: [NodeID]) {
        guard var rotation = wanted.rotation, rotation.stage != .done else { return }
        let new = nodes.filter { rotation.awaited.contains($0) && !rotation.skipped.contains($0) }
        rotation.skipped = Array((rotation.skipped + new).sorted().prefix(KeyReport.mostSkipped))
        wanted.rotation = rotation
    }

    /// Nobody need be waited for: everybody has the key of before.
    mutating func abort() {
        guard let rotation = wanted.rotation, rotation.stage != .done,
            let before = wanted.keys.first(where: { $0.id != rotation.target })
        else { return }
        change(to: before.id, skipping: others.filter { !alive.contains($0) })
    }

    private mutating func change(to target: UInt32, skipping: [NodeID]) {
        greatest += 1
        adopt(RotationID(number: greatest, node: node), target, skipping)
    }

    /// Takes over a change that is greater than the one known.
    private mutating func adopt(_ id: RotationID, _ target: UInt32, _ skipping: [NodeID]) {
        var rotation = Rotation(id: id, target: target, stage: wanted.knows(target) ? .installed : .lacking)
        let before = wanted.rotation.flatMap { $0.stage == .done ? nil : $0.awaited } ?? []
        rotation.awaited = (before.filter { $0 != node && !others.contains($0) } + others).sorted()
        rotation.skipped = skipping.filter { rotation.awaited.contains($0) }.sorted()
        // Whoever has no other key has been through all of it, whether he knew or not.
        if wanted.keys.count == 1, wanted.knows(target) {
            rotation.stage = .done
            (rotation.awaited, rotation.skipped) = ([], [])
        }
        wanted.rotation = rotation
        removesAt = nil
        asksAt = nil
    }

    // MARK: What others say

    mutating func take(_ report: KeyReport?, of other: NodeID, _ directives: inout [KeyDirective]) {
        guard other != node else { return }
        reports.removeAll { $0.node == other }
        guard let report else { return }
        reports.append((other, report))
        reports.sort { $0.node < $1.node }
        greatest = max(greatest, report.id.number)
        let isNews = wanted.rotation.map { $0.id < report.id } ?? true
        if isNews {
            // One that is over, with a key that is not known here, was not this covey's: the key file was changed by hand since.
            guard report.stage != .done || wanted.knows(report.target) else { return }
            adopt(report.id, report.target, report.skipped)
            directives.append(.notice("change \(report.id.number) of the covey's key has begun"))
        } else if wanted.rotation?.id == report.id {
            skip(report.skipped)
        }
    }

    mutating func receive(_ bytes: [UInt8], from other: NodeID, _ directives: inout [KeyDirective]) {
        guard let message = try? KeyMessage(bytes: bytes) else { return }
        switch message {
        case .wanted(let id):
            guard let rotation = state.rotation, rotation.id == id,
                let key = state.keys.first(where: { $0.id == rotation.target })
            else { return }
            directives.append(.frame(KeyMessage.key(id, key).bytes, to: other))
        case .key(let id, let key):
            guard var rotation = wanted.rotation, rotation.id == id, rotation.stage == .lacking,
                rotation.target == key.id, identify(key.bytes) == key.id, wanted.keys.count < KeyState.mostKeys
            else { return }
            wanted.keys.append(key)
            rotation.stage = .installed
            wanted.rotation = rotation
        }
    }

    // MARK: Going on

    /// The table above ``KeyRotation``, row by row. What is decided is decided by what is on the disk.
    mutating func advance(now: MonotonicInstant, _ directives: inout [KeyDirective]) {
        guard let rotation = state.rotation, rotation.id == wanted.rotation?.id,
            rotation.stage == wanted.rotation?.stage
        else {
            // The disk is asked, and its answer is the next step.
            (asksAt, removesAt) = (nil, nil)
            return
        }
        switch rotation.stage {
        case .lacking: ask(rotation, now: now, &directives)
        case .installed:
            asksAt = nil
            if maySpeak(rotation) { use() }
        case .using:
            let isComplete = rotation.awaited.allSatisfy { says($0, rotation, .using) }
            guard isComplete, rotation.awaited == wanted.rotation?.awaited else { return removesAt = nil }
            guard let moment = removesAt else { return removesAt = now.advanced(by: Self.settling) }
            if moment <= now { finish() }
        case .done: removesAt = nil
        }
    }

    private func says(_ other: NodeID, _ rotation: Rotation, _ stage: KeyStage) -> Bool {
        report(of: other).map { $0.id == rotation.id && $0.stage >= stage } ?? false
    }

    private func maySpeak(_ rotation: Rotation) -> Bool {
        if reports.contains(where: { $0.report.id == rotation.id && $0.report.stage >= .using }) { return true }
        guard let wanted = wanted.rotation else { return false }
        return wanted.awaited.allSatisfy { wanted.skipped.contains($0) || says($0, rotation, .installed) }
    }

    private mutating func use() {
        guard let target = wanted.rotation?.target, let key = wanted.keys.first(where: { $0.id == target }) else {
            return
        }
        wanted.keys = [key] + wanted.keys.filter { $0.id != target }
        wanted.rotation?.stage = .using
    }

    private mutating func finish() {
        removesAt = nil
        guard let target = wanted.rotation?.target else { return }
        wanted.keys.removeAll { $0.id != target }
        wanted.rotation?.stage = .done
        wanted.rotation?.awaited = []
        wanted.rotation?.skipped = []
    }

    /// Asks one after the other of those who say that they have it.
    private mutating func ask(_ rotation: Rotation, now: MonotonicInstant, _ directives: inout [KeyDirective]) {
        if let moment = asksAt, moment > now { return }
        let holders = reports.filter { entry in
            entry.report.id == rotation.id && entry.report.stage >= .installed
                && alive.contains(entry.node)
        }
        asksAt = now.advanced(by: Self.pause)
        guard let next = holders.first(where: { $0.node > asked ?? $0.node }) ?? holders.first else { return }
        asked = next.node
        directives.append(.frame(KeyMessage.wanted(rotation.id).bytes, to: next.node))
    }

    // MARK: Looking

    /// Whom a change that is under way waits for, ascending, each with how far it is; nobody where nothing is under way.
    package var waitsFor: [(node: NodeID, stage: KeyStage?)] {
        guard let rotation = state.rotation, rotation.stage != .done else { return [] }
        let needed: KeyStage = rotation.stage >= .using ? .using : .installed
        return rotation.awaited.compactMap { other in
            guard !says(other, rotation, needed), needed == .using || !rotation.skipped.contains(other) else {
                return nil
            }
            let report = report(of: other)
            return (other, report?.id == rotation.id ? report?.stage : nil)
        }
    }
}
