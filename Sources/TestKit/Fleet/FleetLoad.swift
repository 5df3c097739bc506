extension Fleet {
    /// Publishes `rate` messages a second at the site of each of `members`, `nil`: of all, until the task is cancelled; what was begun is
    /// acknowledged when it ends.
    package func load(rate: Double, at members: [Member]? = nil) -> Task<Void, any Error> {
        let members = members ?? self.members
        return Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for member in members {
                    group.addTask {
                        // A second's worth at a time.
                        while !Task.isCancelled { try await member.publish(max(1, Int(rate)), rate: rate) }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
