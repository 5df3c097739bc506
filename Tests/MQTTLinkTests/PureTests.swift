import Devices
import Environment
import Model
import Testing

@testable import MQTTLink

@Suite struct PureTests {
    private static let line = "Client gate received PUBLISH (d1, q1, r0, m5, 't/a', ... (12 bytes))"

    @Test("The flags of a log line are read, and other lines are passed over")
    func logLine() {
        let watch = RedeliveryWatch(clientID: "gate", receiveMaximum: 10)
        #expect(watch.parse(Self.line.utf8) == .init(isDuplicate: true, qos: 1, isRetained: false, messageID: 5))
        for other in [
            "Client gate received PINGRESP", "", "Client other received PUBLISH (d1, q1, r0, m5, 't', ... (1 bytes))",
            "Client gate received PUBLISH (d1, q1, r0", "Client gate received PUBLISH (d2, q1, r0, m5, 't'",
            "Client gate received PUBLISH (d1, q1, r0, m99999, 't'",
            "Client gate received PUBLISH (x1, q1, r0, m5, 't'",
        ] {
            #expect(watch.parse(other.utf8) == nil, "\(other)")
        }
    }

    @Test("In a resumed session messages are redeliveries until the first new one; then the log is not needed any more")
    func redelivery() {
        var watch = RedeliveryWatch(clientID: "gate", receiveMaximum: 10)
        watch.connected(sessionPresent: true)
        #expect(watch.needsLog)
        watch.note(line: Self.line.utf8)
        let first = watch.classify(messageID: 5, qos: 1, isRetained: false)
        #expect(first)
        // QoS 0 in between says nothing.
        watch.note(line: "Client gate received PUBLISH (d0, q0, r0, m0, 't', ... (1 bytes))".utf8)
        let between = watch.classify(messageID: 0, qos: 0, isRetained: false)
        #expect(!between)
        #expect(watch.needsLog)
        watch.note(line: Self.line.replacing("d1", with: "d0").replacing("m5", with: "m6").utf8)
        let new = watch.classify(messageID: 6, qos: 1, isRetained: false)
        #expect(!new)
        #expect(!watch.needsLog)
    }

    @Test("Where the log cannot be understood, as many messages as can be outstanding may be redeliveries")
    func unknownLog() {
        var watch = RedeliveryWatch(clientID: "gate", receiveMaximum: 3)
        watch.connected(sessionPresent: true)
        watch.note(line: "Client gate got a PUBLISH".utf8)
        let answers = (1...5).map { watch.classify(messageID: $0, qos: 1, isRetained: false) }
        #expect(answers == [true, true, true, false, false])
        #expect(!watch.needsLog)
    }

    @Test("The fingerprint of a message never changes, and tells topic from payload")
    func deliveryHash() {
        #expect(Message(topic: "", payload: []).deliveryHash == 17_185_467_003_596_938_481)
        let real = Message(topic: "tele/soil-3/SENSOR", payload: Array("{\"a\":1}".utf8))
        #expect(real.deliveryHash == 1_886_846_813_694_579_773)
        let hashes = [
            Message(topic: "ab", payload: Array("c".utf8)), Message(topic: "a", payload: Array("bc".utf8)),
            Message(topic: "a", payload: [0]), Message(topic: "a", payload: [0, 0]), Message(topic: "a", payload: []),
            Message(topic: "12345678", payload: []), Message(topic: "", payload: Array("12345678".utf8)),
        ].map(\.deliveryHash)
        #expect(Set(hashes).count == hashes.count)
    }

    @Test("Reconnects wait longer and longer, at random, and begin anew only after a stable connection")
    func backOff() {
        var random = SeededRandom(seed: 7)
        var pacer = ReconnectPacer(ReconnectSettings())
        var limit = 1.0
        for _ in 0..<12 {
            let delay = pacer.failed(connectedFor: .seconds(5), using: &random)
            #expect(delay >= .milliseconds(100) && delay.inSeconds <= limit)
            limit = min(60, limit * 2)
        }
        let many = (0..<200).map { _ in pacer.failed(connectedFor: nil, using: &random).inSeconds }
        #expect(many.max()! > 50 && many.min()! < 10)
        #expect(pacer.failed(connectedFor: .seconds(31), using: &random) <= .seconds(1))
    }

    @Test("Filters are asked for in packets that small brokers take, and again on every connection")
    func subscriptions() {
        var book = SubscriptionBook(wanted: (0..<100).map { "t/\($0)" } + ["t/0"])
        let requests = book.requests()
        #expect(requests.count == 4)
        let nothing = book.requests()
        #expect(nothing.isEmpty)
        book.change(to: ["t/5", "new"])
        let change = book.requests()
        #expect(change.first == .subscribe(["new"]))
        #expect(change.dropFirst().allSatisfy { if case .unsubscribe = $0 { true } else { false } })
        book.connected(sessionPresent: false)
        #expect(book.requests() == [.subscribe(["new", "t/5"])])
        book.sent(["new", "t/5"], messageID: 9)
        let answers = book.answered(messageID: 9, codes: [0x87, 0]) { "code \($0)" }
        #expect(answers == [.refused(filter: "new", reason: "code 135"), .subscribed(filter: "t/5", qos: 0)])
        let twice = book.answered(messageID: 9, codes: [1]) { "\($0)" }
        #expect(twice.isEmpty)
    }

    @Test("A session that outlived its gateway is told what nobody wants any more, on each connection")
    func heldSubscriptions() {
        var book = SubscriptionBook(wanted: ["b"], held: ["a", "b"])
        book.connected(sessionPresent: true)
        #expect(book.requests() == [.subscribe(["b"]), .unsubscribe(["a"])])
        let nothing = book.requests()
        #expect(nothing.isEmpty)
        book.change(to: ["a"])
        #expect(book.requests() == [.subscribe(["a"]), .unsubscribe(["b"])])
        book.connected(sessionPresent: true)
        #expect(book.requests() == [.subscribe(["a"]), .unsubscribe(["b"])])
        book.connected(sessionPresent: false)
        #expect(book.requests() == [.subscribe(["a"])])
    }

    private func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }

    @Test("Publishes beyond the window wait, beyond the queue they are refused, and late ones time out")
    func publishQueue() {
        var limits = PublishLimits()
        limits.window = 2
        limits.queued = 3
        var queue = PublishQueue(limits: limits)
        var tickets: [PublishQueue.Ticket] = []
        for number in 0..<3 {
            let ticket = queue.makeTicket()
            let isAdded = queue.add(ticket, topic: "\(number)", payload: [], retain: false, now: at(Int64(number)))
            #expect(isAdded)
            tickets.append(ticket)
        }
        let surplus = queue.makeTicket()
        let isSurplusAdded = queue.add(surplus, topic: "x", payload: [], retain: false, now: at(2))
        #expect(!isSurplusAdded)
        for id in 1...2 { queue.sent(queue.next()!, messageID: Int32(id)) }
        #expect(queue.next() == nil, "the window is full")
        #expect(queue.acknowledged(messageID: 1) == tickets[0])
        #expect(queue.acknowledged(messageID: 1) == nil)
        #expect(queue.expired(now: at(31)) == [tickets[1]])
        #expect(queue.acknowledged(messageID: 2) == nil, "nobody waits any more")
        #expect(queue.nextDeadline == at(32))
        #expect(queue.disconnected() == [tickets[2]])
        #expect(queue.next() == nil)
    }

    @Test("Of a topic's latest values only the newest waits; one lost on its way waits again, unless a newer one does")
    func latest() {
        var limits = PublishLimits()
        limits.latestTopics = 2
        var queue = PublishQueue(limits: limits)
        queue.offer(topic: "a", payload: [1])
        queue.offer(topic: "b", payload: [2])
        queue.offer(topic: "a", payload: [3])
        queue.offer(topic: "c", payload: [4])
        #expect(queue.superseded == 1 && queue.droppedLatest == 1 && queue.latestCount == 2)
        let first = queue.next()!
        #expect(first.topic == "a" && first.payload == [3] && first.retain)
        queue.sent(first, messageID: 1)
        let second = queue.next()!
        queue.sent(second, messageID: 2)
        queue.offer(topic: "a", payload: [5])
        let waiters = queue.disconnected()
        #expect(waiters.isEmpty)
        let again = [queue.next()!, queue.next()!].sorted { $0.topic < $1.topic }
        #expect(again.map(\.payload) == [[5], [2]])
        #expect(queue.next() == nil)
    }
}
