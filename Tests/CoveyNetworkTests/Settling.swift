import TestKit
import Testing

extension Fleet {
    /// Returns when everything that a broker acknowledged is at the sink and every gateway knows it; checks that nothing is missing or
    /// there under two keys, that the books balance, and that all live and know it.
    func settle(within limit: Duration = .seconds(90)) async throws -> ReceiverSnapshot {
        do {
            try await waitForReadings(acknowledged, within: limit)
            for member in members {
                try await until("\(member.name) has nothing to send", within: limit) {
                    try await member.status().pendingUploads == 0
                }
            }
            try await waitUntilMet()
        } catch {
            for member in members {
                print(member.name, (try? await member.uploads()) ?? [], (try? await member.peers()) ?? [])
            }
            throw Late(
                description: "\(error): \(receiver.snapshot().byDevice) of \(acknowledged), \(compare())\n\(lastWords)")
        }
        let (missing, doubled) = compare()
        #expect(missing == 0)
        #expect(doubled == 0)
        let snapshot = receiver.snapshot()
        #expect(snapshot.readings == acknowledged)
        #expect(snapshot.faults.isEmpty)
        for member in members {
            let ledger = try await member.status().ledger
            #expect(ledger.balances, "\(member.name): \(ledger)")
            #expect(ledger.balanced, "\(member.name)")
        }
        return snapshot
    }

    /// Returns when, under load, of each log that grows at the sink so much as `window` readings came by one gateway, while no gateway said
    /// that it uploads another's, and each reached the sink: one that does not, and has yet to find out that it could, lets another bring
    /// what it has, by fits and starts.
    func waitUntilEachLogHasOneUploader(window: Int = 100) async throws {
        var before = receiver.snapshot().brought
        var wasSettled = false
        try await until("each log has one uploader") {
            let now = self.receiver.snapshot().brought
            let news = now.map { log, bringers in
                bringers.map { $1 - (before[log]?[$0] ?? 0) }.filter { $0 > 0 }
            }.filter { !$0.isEmpty }
            guard news.count == self.members.count, news.allSatisfy({ $0.reduce(0, +) >= window }) else { return false }
            before = now
            var isSettled = true
            for member in self.members {
                for upload in try await member.uploads() {
                    isSettled = isSettled && upload.state == "ok" && upload.relayed.isEmpty && upload.relayedBy.isEmpty
                }
            }
            defer { wasSettled = isSettled }
            return wasSettled && isSettled && news.allSatisfy { $0.count == 1 }
        }
    }

    /// Returns when every gateway has `count` readings on its disk, those of the others included.
    func waitUntilAllHold(_ count: Int, within limit: Duration = .seconds(90)) async throws {
        for member in members {
            try await until("\(member.name) holds \(count) readings", within: limit) {
                try await member.status().ring.readings >= count
            }
        }
    }
}
