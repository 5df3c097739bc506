import Environment
import Model
import Sinks
import Testing

@testable import GatewayCore

@Suite("Records of the sinks' accounts")
struct AccountRecordTests {
    private func randomMoments(using random: inout SeededRandom) -> MomentsRecord {
        var number: UInt64 = 0
        let count = Int.random(in: 1...MomentsRecord.most, using: &random)
        return MomentsRecord(
            (0..<count).map { _ in
                number += UInt64.random(in: 1...300, using: &random)
                var frontier = Frontier()
                frontier.newest = Bool.random(using: &random) ? LogID(using: &random) : nil
                for _ in 0..<Int.random(in: 0..<4, using: &random) {
                    var end: UInt64 = 0
                    let ranges = (0..<Int.random(in: 0..<5, using: &random)).map { _ in
                        let start = end + UInt64.random(in: 0..<1 << 30, using: &random)
                        end = start + UInt64.random(in: 1..<1 << 30, using: &random)
                        return start..<end
                    }
                    frontier.logs.append(Frontier.Log(log: LogID(using: &random), settled: ranges))
                }
                return AccountMoment(number: number, frontier: frontier)
            })
    }

    private func randomAccount(using random: inout SeededRandom) -> AccountRecord {
        var counts = UploadCounts()
        let fates: [UploadFate] = [
            .uploaded, .refused, .damaged, .evicted(reason: "ring-full"), .evicted(reason: "märz"),
        ]
        for fate in fates where Bool.random(using: &random) {
            counts.add(UInt64.random(in: 1..<1 << 40, using: &random), fate)
        }
        return AccountRecord(number: random.next() >> 8, counts: counts)
    }

    @Test("Moments, accounts and their names are read back as they were written")
    func roundTrips() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<300 {
            let moments = randomMoments(using: &random)
            #expect(MomentsRecord(moments.bytes) == moments)
            let account = randomAccount(using: &random)
            #expect(AccountRecord(account.bytes) == account)
        }
        let name = AccountName(sink: "a/b", device: DeviceID("c/d"))
        #expect(AccountName(name.text) == name)
        #expect(AccountName("nobody") == nil)
    }

    @Test("Cut, changed and random records are refused or read, and never trap")
    func fuzz() {
        var random = SeededRandom(seed: 2)
        for turn in 0..<6000 {
            var bytes =
                turn.isMultiple(of: 2) ? randomMoments(using: &random).bytes : randomAccount(using: &random).bytes
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            case 1: bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
            default:
                let count = Int.random(in: 0..<60, using: &random)
                bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            if let moments = MomentsRecord(bytes) { #expect(MomentsRecord(moments.bytes) == moments) }
            if let account = AccountRecord(bytes) { #expect(AccountRecord(account.bytes) == account) }
        }
        #expect(MomentsRecord([]) == nil)
        #expect(AccountRecord([]) == nil)
        #expect(MomentsRecord([UInt8](repeating: 0xFF, count: 64)) == nil)
        #expect(AccountRecord([UInt8](repeating: 0xFF, count: 64)) == nil)
    }

    @Test("A moment tells of logs that it does not list: the older ones had come to an end, the newer ones not begun")
    func unlistedLogs() {
        let logs = (1...4).map { LogID(UInt64($0)) }
        let frontier = Frontier(newest: logs[2], logs: [Frontier.Log(log: logs[1], settled: [3..<9])])
        #expect(frontier.settled(of: logs[0], among: logs) == [0..<UInt64.max])
        #expect(frontier.settled(of: logs[1], among: logs) == [3..<9])
        #expect(frontier.settled(of: logs[3], among: logs).isEmpty)
        #expect(Frontier().settled(of: logs[0], among: logs).isEmpty)
    }
}
