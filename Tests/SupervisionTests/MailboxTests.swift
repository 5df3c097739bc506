import Supervision
import Synchronization
import Testing

struct MailboxTests {
    private func counts(_ mailbox: Mailbox<Int>) -> [UInt64] {
        let counts = mailbox.counts
        #expect(counts.offered == counts.delivered + counts.dropped + counts.refused + counts.waiting)
        return [counts.offered, counts.delivered, counts.dropped, counts.refused, counts.waiting]
    }

    @Test func aFullMailboxHandsTheNewestBack() async throws {
        let mailbox = Mailbox<Int>(capacity: 3, overflow: .refuse)
        #expect(mailbox.offer(contentsOf: [1, 2, 3, 4, 5]) == [4, 5])
        #expect(mailbox.free == 0)
        #expect(try await mailbox.next(upTo: 2) == [1, 2])
        #expect(mailbox.offer(6) == nil)
        #expect(counts(mailbox) == [6, 2, 0, 2, 2])
    }

    @Test func dropNewestKeepsWhatCameFirst() async throws {
        let mailbox = Mailbox<Int>(capacity: 2, overflow: .dropNewest)
        #expect(mailbox.offer(contentsOf: [1, 2, 3]) == [3])
        #expect(try await mailbox.next(upTo: 9) == [1, 2])
        #expect(counts(mailbox) == [3, 2, 1, 0, 0])
    }

    @Test func dropOldestKeepsWhatCameLast() async throws {
        let mailbox = Mailbox<Int>(capacity: 2, overflow: .dropOldest)
        #expect(mailbox.offer(contentsOf: [1, 2, 3, 4, 5]) == [1, 2, 3])
        #expect(try await mailbox.next(upTo: 9) == [4, 5])
        #expect(counts(mailbox) == [5, 2, 3, 0, 0])
    }

    @Test func aClosedMailboxTakesNothingGivesTheRestAndThenEnds() async throws {
        let mailbox = Mailbox<Int>(capacity: 9, overflow: .dropOldest)
        mailbox.offer(contentsOf: [1, 2])
        mailbox.close()
        #expect(mailbox.offer(3) == 3)
        #expect(try await mailbox.next(upTo: 1) == [1])
        #expect(try await mailbox.next(upTo: 1) == [2])
        #expect(try await mailbox.next(upTo: 1) == nil)
        #expect(counts(mailbox) == [3, 2, 0, 1, 0])
    }

    @Test func closingWakesAWaitingConsumer() async throws {
        let mailbox = Mailbox<Int>(capacity: 1, overflow: .refuse)
        async let batch = mailbox.next(upTo: 1)
        mailbox.close()
        #expect(try await batch == nil)
    }

    @Test func aCancelledConsumerLosesNothing() async throws {
        let mailbox = Mailbox<Int>(capacity: 100_000, overflow: .refuse)
        var received: [Int] = []
        for round in 0..<500 {
            let consumer = Task { try await mailbox.next(upTo: 1000) }
            async let producer: Int? = mailbox.offer(round)
            consumer.cancel()
            if case .success(let batch) = await consumer.result { received += batch ?? [] }
            _ = await producer
        }
        mailbox.close()
        while let batch = try await mailbox.next(upTo: 1000) { received += batch }
        #expect(received == Array(0..<500))
    }

    @Test func manyProducersAndOneConsumerAgreeOnEveryElement() async throws {
        let mailbox = Mailbox<Int>(capacity: 64, overflow: .refuse)
        let (producers, each) = (8, 5000)
        let consumer = Task {
            var sum = 0
            while let batch = try await mailbox.next(upTo: 16) { sum += batch.reduce(0, +) }
            return sum
        }
        let refused = await withTaskGroup(of: Int.self) { group in
            for producer in 0..<producers {
                group.addTask {
                    var refused = 0
                    for number in 0..<each {
                        refused += mailbox.offer(producer * each + number) ?? 0
                        if number % 50 == 0 { await Task.yield() }
                    }
                    return refused
                }
            }
            return await group.reduce(0, +)
        }
        mailbox.close()
        let all = producers * each
        #expect(try await consumer.value + refused == all * (all - 1) / 2)
        #expect(counts(mailbox)[0] == UInt64(all))
    }

    @Test func whatLeavesAMailboxOrDiesWithItIsLetGo() async throws {
        final class Thing: Sendable {
            let released: Counter
            init(_ released: Counter) { self.released = released }
            deinit { released.add() }
        }
        let released = Counter()
        do {
            let mailbox = Mailbox<Thing>(capacity: 20, overflow: .dropOldest)
            for _ in 0..<50 { mailbox.offer(Thing(released)) }
            #expect(released.value == 30)
            _ = try await mailbox.next(upTo: 5)
            #expect(released.value == 35)
        }
        #expect(released.value == 50)
    }

    @Test func aBatchIsNeverLargerThanAskedForAndKeepsTheOrder() async throws {
        let mailbox = Mailbox<Int>(capacity: 50, overflow: .refuse)
        var received: [Int] = []
        for round in 0..<40 {
            mailbox.offer(contentsOf: round * 7..<round * 7 + 7)
            let batch = try await mailbox.next(upTo: 5) ?? []
            #expect(batch.count <= 5)
            received += batch
            if round % 10 == 9 { received += try await mailbox.next(upTo: 50) ?? [] }
        }
        #expect(received == Array(0..<280))
    }
}

private final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add() { count.add(1, ordering: .relaxed) }
}
