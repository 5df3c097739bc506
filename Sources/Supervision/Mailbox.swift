import Synchronization

/// What went through a mailbox since it was made: `offered = delivered + dropped + refused + waiting`.
package struct MailboxCounts: Hashable, Sendable {
    package internal(set) var offered: UInt64 = 0
    /// Handed to the consumer.
    package internal(set) var delivered: UInt64 = 0
    /// Lost to the overflow policy (`dropNewest`, `dropOldest`).
    package internal(set) var dropped: UInt64 = 0
    /// Handed back to the producer, who keeps them: it was full (`refuse`), or closed.
    package internal(set) var refused: UInt64 = 0
    /// Inside now.
    package internal(set) var waiting: UInt64 = 0
}

/// What gives way when a mailbox is full.
package enum MailboxOverflow: Hashable, Sendable {
    /// The new elements go back to the producer, who still owns them: for producers that can be held back.
    case refuse
    /// The new elements are lost: what came first is worth more.
    case dropNewest
    /// The elements that waited longest are lost: what came last is worth more.
    case dropOldest
}

/// All of a mailbox but the elements themselves. Knows nothing of their type: generic code of another module is not specialised, and
/// looking up generic types cost ten times the work itself.
private struct MailboxState: ~Copyable {
    var counts = MailboxCounts()
    var isClosed = false
    /// Present while the consumer waits. It is only woken, never handed an element, so that a cancelled consumer loses none.
    var consumer: CheckedContinuation<Void, Never>?
    /// Place of the oldest element.
    var first = 0
    /// Elements inside.
    var used = 0
    /// Places that the storage has, a power of two; it grows up to the capacity.
    var room = 0

    /// The place behind the newest element, to be filled by the caller.
    mutating func push() -> Int {
        used += 1
        counts.waiting += 1
        return (first + used - 1) & (room - 1)
    }

    /// The place of the oldest element, to be emptied by the caller.
    mutating func pop() -> Int {
        let place = first
        first = (first + 1) & (room - 1)
        used -= 1
        counts.waiting -= 1
        return place
    }
}

/// A bounded queue between producers on any thread, which never wait, and one consumer, which takes batches when it is ready.
package final class Mailbox<Element: Sendable>: @unchecked Sendable {
    package typealias Overflow = MailboxOverflow

    /// Elements that fit; 1 or more.
    package let capacity: Int
    package let overflow: Overflow
    private let state = Mutex(MailboxState())
    /// A ring; touched only under the lock of ``state``, which knows the places that are filled.
    private var storage = UnsafeMutablePointer<Element>.allocate(capacity: 0)

    package init(capacity: Int, overflow: Overflow) {
        precondition(capacity > 0, "a mailbox for \(capacity)")
        self.capacity = capacity
        self.overflow = overflow
    }

    deinit {
        state.withLock { state in
            while state.used > 0 { (storage + state.pop()).deinitialize(count: 1) }
        }
        storage.deallocate()
    }

    package var counts: MailboxCounts { state.withLock { $0.counts } }

    /// How many elements would fit now.
    package var free: Int { state.withLock { $0.isClosed ? 0 : capacity - $0.used } }

    /// Puts one element in; from any thread, without waiting. Returns the element that did not fit: the new one (`refuse`,
    /// `dropNewest`, or closed) or the oldest (`dropOldest`); `nil` where all did.
    @discardableResult
    package func offer(_ element: Element) -> Element? {
        var consumer: CheckedContinuation<Void, Never>?
        var surplus: Element?
        state.withLock { state in
            surplus = put(element, &state)
            consumer = wake(&state)
        }
        consumer?.resume()
        return surplus
    }

    /// Puts elements in, in order; from any thread, without waiting. Returns those that did not fit, oldest first.
    @discardableResult
    package func offer(contentsOf elements: some Collection<Element> & Sendable) -> [Element] {
        var consumer: CheckedContinuation<Void, Never>?
        var surplus: [Element] = []
        state.withLock { state in
            for element in elements {
                if let one = put(element, &state) { surplus.append(one) }
            }
            consumer = wake(&state)
        }
        consumer?.resume()
        return surplus
    }

    /// Takes up to `limit` elements as soon as there is one; `nil` once the mailbox is closed and empty. For one consumer at a time.
    /// Throws where the task is cancelled while nothing is there; no element is lost by that.
    package func next(upTo limit: Int) async throws(CancellationError) -> [Element]? {
        precondition(limit > 0, "a batch of \(limit)")
        while true {
            var isOver = false
            var batch: [Element] = []
            state.withLock { state in
                batch = take(limit, &state)
                isOver = state.isClosed
            }
            if !batch.isEmpty { return batch }
            if isOver { return nil }
            if Task.isCancelled { throw CancellationError() }
            await sleep()
        }
    }

    /// Takes nothing in from now on; what is inside can still be taken.
    package func close() {
        let consumer = state.withLock { state in
            state.isClosed = true
            return state.consumer.take()
        }
        consumer?.resume()
    }

    private func put(_ element: Element, _ state: inout MailboxState) -> Element? {
        state.counts.offered += 1
        if state.isClosed {
            state.counts.refused += 1
            return element
        }
        if state.used < capacity {
            if state.used == state.room { grow(&state) }
            (storage + state.push()).initialize(to: element)
            return nil
        }
        switch overflow {
        case .refuse:
            state.counts.refused += 1
            return element
        case .dropNewest:
            state.counts.dropped += 1
            return element
        case .dropOldest:
            state.counts.dropped += 1
            let oldest = (storage + state.pop()).move()
            (storage + state.push()).initialize(to: element)
            return oldest
        }
    }

    private func take(_ limit: Int, _ state: inout MailboxState) -> [Element] {
        let count = min(limit, state.used)
        guard count > 0 else { return [] }
        state.counts.delivered += UInt64(count)
        return Array(unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                (buffer.baseAddress! + filled).moveInitialize(from: storage + state.pop(), count: 1)
                filled += 1
            }
        }
    }

    /// Twice the room, with the elements in order from its beginning.
    private func grow(_ state: inout MailboxState) {
        let room = max(8, state.room * 2)
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: room)
        let used = state.used
        for place in 0..<used { (larger + place).moveInitialize(from: storage + state.pop(), count: 1) }
        storage.deallocate()
        storage = larger
        state.room = room
        state.first = 0
        for _ in 0..<used { _ = state.push() }
    }

    private func wake(_ state: inout MailboxState) -> CheckedContinuation<Void, Never>? {
        state.used == 0 ? nil : state.consumer.take()
    }

    /// Returns when there may be something to take, or the task is cancelled.
    private func sleep() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { consumer in
                let isAwake = state.withLock { state in
                    precondition(state.consumer == nil, "a mailbox with two consumers")
                    if state.used > 0 || state.isClosed || Task.isCancelled { return true }
                    state.consumer = consumer
                    return false
                }
                if isAwake { consumer.resume() }
            }
        } onCancel: {
            state.withLock { $0.consumer.take() }?.resume()
        }
    }
}
