package import Model
import Synchronization

/// Spreads readings to those who follow them. Publishing never waits: a follower that does not keep up misses readings and is told how
/// many, at the place in the stream where they are missing.
package final class TailHub: Sendable {
    /// Bytes that wait for one follower: some 2,000 readings, a second or two of a busy gateway.
    package static let waitingBytes = 256 * 1024
    /// Followers at once; each glob of each is tried on every reading.
    package static let followers = 32

    private struct State {
        var nextID: UInt64 = 0
        /// In the order of their coming.
        var followers: [(id: UInt64, globs: [Glob], queue: TailQueue)] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether anybody follows at all: a publisher may skip its work if not.
    package var isFollowed: Bool { state.withLock { !$0.followers.isEmpty } }

    /// Hands a reading to those who asked for its series. `line` makes its JSON, without a line feed; it is called at most once, and only
    /// if somebody wants it.
    package func publish(_ series: Series, _ line: () -> [UInt8]) {
        let queues = state.withLock { state in
            state.followers.compactMap { follower in
                follower.globs.isEmpty || follower.globs.contains { $0.matches(series) } ? follower.queue : nil
            }
        }
        guard !queues.isEmpty else { return }
        let bytes = line()
        for queue in queues { queue.append(bytes) }
    }

    /// A stream of what is published from now on; it ends when the hub is closed. Throws `unavailable` beyond ``followers``.
    package func follow(_ globs: [Glob]) throws(ControlError) -> LineStream {
        let queue = TailQueue(limit: Self.waitingBytes)
        let id: UInt64? = state.withLock { state in
            if state.isClosed { queue.close() }
            guard state.followers.count < Self.followers else { return nil }
            state.nextID += 1
            state.followers.append((state.nextID, globs, queue))
            return state.nextID
        }
        guard let id else {
            throw ControlError(.unavailable, "\(Self.followers) others follow already", hint: "end one of them")
        }
        let place = TailPlace(hub: self, id: id)
        return LineStream {
            defer { withExtendedLifetime(place) {} }
            return try await queue.next()
        }
    }

    /// Ends all streams, those of later followers too.
    package func close() {
        let queues = state.withLock { state in
            state.isClosed = true
            return state.followers.map(\.queue)
        }
        for queue in queues { queue.close() }
    }

    fileprivate func leave(_ id: UInt64) {
        state.withLock { $0.followers.removeAll { $0.id == id } }
    }
}

/// A follower's place in the hub; it is given up when the stream is forgotten.
private final class TailPlace: Sendable {
    private let hub: TailHub
    private let id: UInt64

    init(hub: TailHub, id: UInt64) {
        self.hub = hub
        self.id = id
    }

    deinit { hub.leave(id) }
}

/// What waits for one follower: lines up to a limit, then a count of those that found no room. One reader.
final class TailQueue: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var dropped = 0
        var isClosed = false
        var reader: CheckedContinuation<[UInt8]?, Never>?

        /// What a reader gets now; `nil` where it has to wait.
        mutating func take() -> [UInt8]? {
            guard !waiting.isEmpty || dropped > 0 else { return nil }
            var chunk = waiting
            if dropped > 0 { chunk.append(contentsOf: "{\"dropped\":\(dropped)}\n".utf8) }
            waiting = []
            dropped = 0
            return chunk
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
    }

    func append(_ line: [UInt8]) {
        state.withLock { state in
            // Once something is missing, all that follows is, until the reader has taken what waits: so the count stands where the hole is.
            if state.dropped > 0 || state.waiting.count + line.count + 1 > limit {
                state.dropped += 1
            } else if !state.isClosed {
                state.waiting.append(contentsOf: line)
                state.waiting.append(UInt8(ascii: "\n"))
            }
            wake(&state)
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            wake(&state)
        }
    }

    /// All that waits, in one chunk; `nil` when closed and empty. Throws when cancelled.
    func next() async throws(CancellationError) -> [UInt8]? {
        let chunk = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { state in
                    precondition(state.reader == nil, "two readers of one tail, \(state.waiting.count) bytes waiting")
                    state.reader = continuation
                    if Task.isCancelled { giveUp(&state) } else { wake(&state) }
                }
            }
        } onCancel: {
            state.withLock { giveUp(&$0) }
        }
        if chunk == nil, Task.isCancelled { throw CancellationError() }
        return chunk
    }

    private func wake(_ state: inout State) {
        guard let reader = state.reader else { return }
        if let chunk = state.take() {
            state.reader = nil
            reader.resume(returning: chunk)
        } else if state.isClosed {
            giveUp(&state)
        }
    }

    private func giveUp(_ state: inout State) {
        let reader = state.reader
        state.reader = nil
        reader?.resume(returning: nil)
    }
}
