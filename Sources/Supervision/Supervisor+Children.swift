package import SupervisionCore

/// Children at run time. `under` names nested supervisors, from this one down, whose child is meant; empty: this one's own.
extension Supervisor {
    /// Adds a child behind its siblings and starts it.
    package func add(_ spec: ChildSpec, under: [String] = []) async throws(Refusal) {
        if let first = under.first {
            return try await nested(first).add(spec, under: Array(under.dropFirst()))
        }
        try accept(spec)
    }

    /// Stops a child and forgets it; returns when it is gone (ended, or abandoned at its deadline).
    package func remove(_ id: String, under: [String] = []) async throws(Refusal) {
        if let first = under.first {
            return try await nested(first).remove(id, under: Array(under.dropFirst()))
        }
        if let refusal = step(.remove(id)) { throw refusal }
        await removed(id)
    }

    /// Starts a quarantined child again, with a clean slate.
    package func release(_ id: String, under: [String] = []) async throws(Refusal) {
        if let first = under.first {
            return try await nested(first).release(id, under: Array(under.dropFirst()))
        }
        if let refusal = step(.release(id)) { throw refusal }
    }

    /// Stops a child and sets it aside until it is released by hand.
    package func quarantine(_ id: String, reason: String, under: [String] = []) async throws(Refusal) {
        if let first = under.first {
            return try await nested(first).quarantine(id, reason: reason, under: Array(under.dropFirst()))
        }
        if let refusal = step(.quarantine(id, reason: reason)) { throw refusal }
    }

    /// The tree below and with this supervisor, as it is now.
    package func tree() async -> TreeNode {
        var node = TreeNode(
            id: path[path.count - 1], kind: .supervisor, strategy: core.policy.strategy, state: ownState, since: since)
        let statuses = core.status().map { ($0, $0.instance.flatMap { children[$0]?.supervisor }) }
        node.children.reserveCapacity(statuses.count)
        for (status, supervisor) in statuses {
            var child = TreeNode(status)
            if let supervisor {
                let below = await supervisor.tree()
                child.strategy = below.strategy
                child.children = below.children
            }
            node.children.append(child)
        }
        return node
    }

    private var ownState: ChildStatus.State {
        switch core.state {
        case .idle, .ended: .stopped
        case .running: .running
        case .stopping: .stopping
        }
    }

    private func nested(_ id: String) throws(Refusal) -> Supervisor {
        let status = core.status().first { $0.id == id }
        guard let instance = status?.instance, let supervisor = children[instance]?.supervisor else {
            throw .unknown(id)
        }
        return supervisor
    }
}
