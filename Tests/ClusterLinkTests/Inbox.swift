import ClusterLink
import Glibc
import Model
import Synchronization
import TestKit

/// Why a test did not get what it waited for.
struct Late: Error, CustomStringConvertible {
    let description: String
}

/// What a link was told, for tests that wait for it.
final class Inbox: Sendable {
    struct Message: Hashable, Sendable {
        let bytes: [UInt8]
        let sender: PeerAddress
    }

    struct State: Sendable {
        var datagrams: [Message] = []
        var frames: [Message] = []
        var unreachable: [PeerAddress] = []
    }

    /// Far more than anything here takes, on a machine that has other work too.
    static let patience = Duration.seconds(40)

    private struct Waiter {
        let id: Int
        let condition: @Sendable (State) -> Bool
        let wake: CheckedContinuation<Bool, Never>
    }

    private let state = Mutex((State(), [Waiter](), next: 0))

    var now: State { state.withLock(\.0) }

    var receiver: ClusterLink.Receiver {
        ClusterLink.Receiver(
            datagram: { bytes, peer in self.change { $0.datagrams.append(Message(bytes: bytes, sender: peer)) } },
            frame: { bytes, peer in self.change { $0.frames.append(Message(bytes: bytes, sender: peer)) } },
            unreachable: { peer in self.change { $0.unreachable.append(peer) } })
    }

    private func change(_ body: (inout State) -> Void) {
        let woken = state.withLock { state in
            body(&state.0)
            let ready = state.1.filter { $0.condition(state.0) }
            state.1.removeAll { waiter in ready.contains { $0.id == waiter.id } }
            return ready
        }
        for waiter in woken { waiter.wake.resume(returning: true) }
    }

    /// Returns when `condition` holds; throws where that takes too long.
    func wait(_ what: String, until condition: @escaping @Sendable (State) -> Bool) async throws {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        let deadline = Task {
            try await Task.sleep(for: Self.patience)
            self.giveUp(id)
        }
        defer { deadline.cancel() }
        let isDone = await withCheckedContinuation { wake in
            let isDone = state.withLock { state in
                if condition(state.0) { return true }
                state.1.append(Waiter(id: id, condition: condition, wake: wake))
                return false
            }
            if isDone { wake.resume(returning: true) }
        }
        guard isDone else { throw Late(description: "waited too long for \(what)") }
    }

    private func giveUp(_ id: Int) {
        let waiter = state.withLock { state -> Waiter? in
            defer { state.1.removeAll { $0.id == id } }
            return state.1.first { $0.id == id }
        }
        waiter?.wake.resume(returning: false)
    }
}

/// Returns when `condition` holds, for what nobody tells; throws where that takes too long.
func until(_ what: String, _ condition: () -> Bool) async throws {
    let end = ContinuousClock.now.advanced(by: Inbox.patience)
    while !condition() {
        guard ContinuousClock.now < end else { throw Late(description: "waited too long for \(what)") }
        await Task.yield()
    }
}

/// A link that runs on a loopback port until it is stopped.
final class RunningLink: Sendable {
    let link: ClusterLink
    let address: PeerAddress
    let port: Int
    let inbox: Inbox
    private let task: Task<Void, any Error>

    init(
        _ number: UInt64, keys: KeyRing = Known.ring, host: String = "127.0.0.1", port: Int? = nil,
        inbox: Inbox = Inbox(), certificates: CertificateFiles? = nil
    ) async throws {
        let port = try port ?? MosquittoBroker.freePort()
        guard let address = PeerAddress.reachable(host: host, port: port) else { throw Late(description: host) }
        (self.port, self.address, self.inbox) = (port, address, inbox)
        var settings = ClusterLink.Settings(
            host: host, port: port, address: address, node: NodeID(high: 7, low: number), start: StartID(number))
        settings.certificates = certificates
        let link = try ClusterLink(settings, keys: keys, receiver: inbox.receiver)
        self.link = link
        let (readiness, ready) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingOldest(2))
        task = Task {
            defer { ready.yield(false) }
            try await link.run { _ in ready.yield(true) }
        }
        var states = readiness.makeAsyncIterator()
        if await states.next() != true {
            try await task.value
            throw Late(description: "the link ended at once")
        }
    }

    func stop() async {
        task.cancel()
        _ = await task.result
    }

    /// How often something was refused for a reason that holds `text`.
    func refused(_ text: String) -> UInt64 {
        link.counts.refused.filter { $0.key.contains(text) }.values.reduce(0, +)
    }
}

/// Runs `body` with two links that share a key unless told otherwise.
func withPair(
    keys: KeyRing = Known.ring, _ other: KeyRing = Known.ring, host: String = "127.0.0.1", otherHost: String? = nil,
    _ body: (RunningLink, RunningLink) async throws -> Void
) async throws {
    let one = try await RunningLink(1, keys: keys, host: host)
    let two = try await RunningLink(2, keys: other, host: otherHost ?? host)
    do {
        try await body(one, two)
    } catch {
        await one.stop()
        await two.stop()
        throw error
    }
    await one.stop()
    await two.stop()
}
