import Model
import Testing

@testable import Membership

@Suite struct RumourQueueTests {
    private func node(_ number: UInt64) -> NodeID { NodeID(high: 0, low: number) }

    @Test func everyRumourIsSentAsOftenAsAskedAndThenIsOver() {
        for transmissions in 1...4 {
            var queue = RumourQueue()
            queue.put([1, 2, 3], about: node(1))
            var sent = 0
            while !queue.isEmpty, sent < 10 {
                var message: [UInt8] = []
                queue.fill(&message, limit: 100, transmissions: transmissions)
                #expect(message == [1, 2, 3])
                sent += 1
            }
            #expect(sent == transmissions)
        }
    }

    @Test func aNewerRumourAboutOneMemberReplacesTheOlderAndIsSentInFull() {
        var queue = RumourQueue()
        queue.put([1], about: node(1))
        queue.put([2], about: node(2))
        var message: [UInt8] = []
        queue.fill(&message, limit: 2, transmissions: 2)
        queue.put([3], about: node(1))
        var all: [[UInt8]] = [message]
        while !queue.isEmpty, all.count < 10 {
            message = []
            queue.fill(&message, limit: 1, transmissions: 2)
            all.append(message)
        }
        // What was sent least often goes first.
        #expect(all == [[1, 2], [3], [2], [3]])
    }
}
