import TestKit

extension Fleet {
    /// Starts all. One that is not ready within a minute is killed, so that its log says why.
    func startSoon() async throws {
        let watchdog = Task {
            try await Task.sleep(for: .seconds(60))
            for member in members { await member.kill() }
        }
        defer { watchdog.cancel() }
        try await start()
    }
}
