import Glibc
import TestKit
import Testing

@Suite("A gateway whose key file cannot be used", .serialized)
struct KeylessTests {
    @Test("It runs alone and says what to do, and joins once the file is there")
    func missing() async throws {
        let fleet = try await Fleet(2, keyless: [1])
        try await fleet.openSink()
        let (one, late) = (fleet.members[0], fleet.members[1])
        let path = "\(fleet.directory)/key1"
        try await one.start()
        try await late.start()
        #expect(await late.process?.waitForLog(containing: "make it with: covey key generate \(path)") == true)
        #expect(try await late.status().covey?.linked == false)
        try await late.publish(50)
        await fleet.receiver.waitForReadings(50)

        // First so that all may read it, then as it must be.
        #expect(system("cp '\(fleet.keyFile)' '\(path)' && chmod 644 '\(path)'") == 0)
        #expect(await late.process?.waitForLog(containing: "make it private: chmod 600 \(path)") == true)
        #expect(chmod(path, 0o600) == 0)
        try await fleet.waitUntilMet()
        try await late.publish(50)
        await fleet.receiver.waitForReadings(100)
        #expect(fleet.compare() == (0, 0))
        #expect(try await late.status().covey?.linked == true)
        await fleet.end()
    }
}
