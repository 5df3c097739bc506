import Glibc
import TestKit
import Testing

@Suite("A gateway whose key file cannot be used", .serialized)
struct KeylessTests {
    @Test("It runs alone and says what to do, and joins once that is done", arguments: [true, false])
    func joinsLater(isMissing: Bool) async throws {
        let fleet = try await Fleet(2, keyless: [1])
        try await fleet.openSink()
        let (one, late) = (fleet.members[0], fleet.members[1])
        let path = late.keyFile
        if !isMissing { #expect(system("cp '\(fleet.keyFile)' '\(path)' && chmod 644 '\(path)'") == 0) }
        try await one.start()
        try await late.start()
        let advice = isMissing ? "make it with: covey key generate \(path)" : "make it private: chmod 600 \(path)"
        try await within(.seconds(60), "the log says what to do") { await late.process?.waitForLog(containing: advice) }
        #expect(late.process?.log.contains { $0.contains(advice) } == true)
        #expect(try await late.status().covey?.linked == false)
        try await late.publish(50)
        try await fleet.waitForReadings(50)

        if isMissing { #expect(system("cp -p '\(fleet.keyFile)' '\(path)'") == 0) }
        #expect(chmod(path, 0o600) == 0)
        try await fleet.waitUntilMet()
        try await late.publish(50)
        try await fleet.waitForReadings(100)
        #expect(fleet.compare() == (0, 0))
        #expect(try await late.status().covey?.linked == true)
        await fleet.end()
    }
}
